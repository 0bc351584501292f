"""No hostile pickle runs code without consent: not when it is inspected, loaded or used to predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile_methods import MISUSES
from hostile_pickles import BY_JOBLIB, BY_PICKLE, Builder
from reading import Read

from aip_magics import artifacts, checks
from aip_magics.errors import PredictionError, TrustError
from aip_magics.prediction import WorkerPool, local_predict
from aip_magics.spec import Model, Version

SECONDS = 5.0
# Not detectable by inspecting the file: the value of a state is wrong.
ONLY_LOADING_TELLS = {
    "memory_map_rebuilt", "memory_map_as_index", "distribution_pairs", "guard_of_lists", "tofile_when_it_predicts",
    "stacking_of_anything", "guard_changed_later", "file_by_vectorizer",
    "distribution_arguments", "distribution_shapes", "documented_by_a_function", "state_of_another_class",
    "zone_outside",
    "objects_from_bytes", "array_built_twice", "key_for_ever", "array_without_end",
}  # fmt: skip
# These fail for reasons other than trust: an allocation, a missing name.
ANY_ERROR = {"array_without_end", "old_format", "fields_over_the_end", "zone_outside"}


def of(builder: Builder) -> str:
    return builder.__name__


@pytest.fixture(params=[*BY_JOBLIB, *BY_PICKLE, *MISUSES], ids=of)
def builder(request: pytest.FixtureRequest) -> Builder:
    found: Builder = request.param
    return found


@pytest.fixture
def folder(builder: Builder, tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    name = "model.joblib" if builder in BY_JOBLIB else "model.pkl"
    (made / name).write_bytes(builder(str(tmp_path / "mark")))
    return made


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(limit=1) as made:
        yield made


def test_inspection_names_a_hostile_pickle_and_how_to_consent(builder: Builder, folder: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    subject = checks.CheckContext(Model(name="m"), Version(), artifacts.inspect_model_dir(folder))
    outcome = checks.RULES["U01"].apply(subject)
    assert time.monotonic() - began < SECONDS
    assert not (tmp_path / "mark").exists()
    if builder.__name__ not in ONLY_LOADING_TELLS:
        assert isinstance(outcome, checks.Failed), "the look found nothing"
        assert all("--trust" in finding.fix for finding in outcome.findings)


def test_restricted_reader_refuses_a_hostile_pickle(
    builder: Builder, folder: Path, tmp_path: Path, read: Callable[[Path], Read]
) -> None:
    [file] = folder.iterdir()
    found = read(file)
    assert found.events == ()
    assert not found.loaded
    if builder.__name__ not in ANY_ERROR:
        assert found.error.startswith("NotTrusted"), found.error
    assert not (tmp_path / "mark").exists()


def test_worker_refuses_a_hostile_pickle(builder: Builder, folder: Path, tmp_path: Path, pool: WorkerPool) -> None:
    expected = PredictionError if builder.__name__ in ANY_ERROR else TrustError
    with pytest.raises(expected) as caught:
        local_predict(folder, [[1.0]], framework="SCIKIT_LEARN", pool=pool)
    assert not (tmp_path / "mark").exists()
    if expected is TrustError:
        assert "--trust" in caught.value.fix

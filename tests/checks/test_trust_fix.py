"""U01's fix: a package for a user's code, none for a library's; and what follows when the fix is followed."""

from __future__ import annotations

import pickle
from pathlib import Path

import joblib
import numpy
import pytest
from joblib.numpy_pickle_compat import NDArrayWrapper
from sklearn.linear_model import LogisticRegression

from aip_magics import artifacts, checks
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust, digest


def fixes(folder: Path, trust: Trust | None = None) -> list[str]:
    directory = artifacts.inspect_model_dir(folder)
    outcome = checks.RULES["U01"].apply(checks.CheckContext(Model(name="m"), Version(), directory, trust=trust))
    return [finding.fix for finding in outcome.findings] if isinstance(outcome, checks.Failed) else []


def calling(module: str, name: str) -> bytes:
    return b"\x80\x04c" + f"{module}\n{name}\n".encode() + b")R."


def old_model(folder: Path) -> None:
    """A model as joblib 0.9 saved it: each array in a file of its own."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    numpy.save(folder / "model.joblib_01.npy", model.coef_)
    model.coef_ = NDArrayWrapper("model.joblib_01.npy", numpy.ndarray)
    NDArrayWrapper.__module__, before = "joblib.numpy_pickle", NDArrayWrapper.__module__
    try:
        (folder / "model.joblib").write_bytes(pickle.dumps(model, 2))
    finally:
        NDArrayWrapper.__module__ = before


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.metrics.pairwise", "pairwise_distances_chunked"),
        ("numpy", "load"),
        ("pandas", "DataFrame"),
        ("os", "system"),
    ],
)
def test_untrusted_pickle_of_a_library_names_no_package(module: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(calling(module, name))
    [fix] = fixes(tmp_path)
    assert fix == "add --trust once if you trust the source of this file (remembered for this file content)"
    file = tmp_path / "model.pkl"
    assert fixes(tmp_path, Trust(files={digest(file): None})) == []  # followed


def test_untrusted_pickle_of_a_user_names_the_package(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(calling("own_code", "Scale"))
    [fix] = fixes(tmp_path)
    assert fix.startswith("add the package that contains this code (--package-uris FILE)")
    assert "--trust" in fix


@pytest.mark.filterwarnings("ignore")
def test_untrusted_pickle_of_an_old_joblib_is_saved_again(tmp_path: Path) -> None:
    old_model(tmp_path)
    [fix] = fixes(tmp_path)
    assert fix.startswith("save the model again with joblib.dump: joblib before 0.10 saved it; or,")
    assert "--trust" in fix
    model = joblib.load(tmp_path / "model.joblib")
    joblib.dump(model, tmp_path / "model.joblib")
    assert fixes(tmp_path) == []
    assert joblib.load(tmp_path / "model.joblib").predict([[0.0], [1.0]]).tolist() == [0, 1]

"""SavedModels with side effects require trust before they are loaded, and the worker refuses them without."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aip_magics import artifacts, checks
from aip_magics.checks.rules.saved_model_trust import GRAPH
from aip_magics.errors import PredictionError, TrustError
from aip_magics.prediction import ForkServerPool, WorkerSpec, start
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust, digest

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

# Model → the operation or file in the message.
HOSTILE = {
    "write": "WriteFile (writes files)", "read": "ReadFile (reads files)", "read_computed": "ReadFile (reads files)",
    "matching": "MatchingFiles (reads files)", "python": "EagerPyFunc (runs Python code)",
    "numpy": "PyFunc (runs Python code)", "print": "PrintV2 (writes files)",
    "debug": "DebugIdentityV2 (sends debugging output to a file or over the network)",
    "save": "SaveV2 (writes a checkpoint)", "restore": "RestoreV2 (reads a checkpoint)",
    "lines": "TextLineDataset (reads files)", "cache": "CacheDatasetV2 (writes files)", "while": "WriteFile",
    "cond": "WriteFile", "map": "WriteFile", "map_fn": "WriteFile", "nested": "WriteFile",
    "immutable": "ImmutableConst (reads files)", "proto": "DecodeProtoV2 (reads files)",
    "table": "InitializeTableFromTextFileV2 (reads a vocabulary file that is not an asset of the model)",
    "dataset_from_graph": "DatasetFromGraph (runs a graph contained in its data)",
    "summary": "CreateSummaryFileWriter (writes event files)", "init": "WriteFile", "init_reads": "ReadFile",
    "control": "WriteFile", "two_graphs": "WriteFile", "asset_outside": "secret", "restores_elsewhere": "RestoreV2",
    "unread_file": "ReadFile", "unknown_operation": "SimpleMLCreateModelResource", "named": "WriteFile",
    "library": "assets.extra/ops.so", "write_text": "WriteFile", "print_text": "PrintV2", "named_text": "WriteFile",
}  # fmt: skip
ORDINARY = [
    "strings", "prints", "loops", "ragged", "sparse", "jpeg", "examples", "table", "lookup", "vectorization", "lstm",
    "simple_1", "vocabulary_1", "training_1", "other_graph_1", "table_text",
    "vocabulary_1_text",
]  # fmt: skip
# With trust these write a file when they load or predict, which shows that the export has its side effect.
WRITING = ["write", "print", "cache", "while", "map_fn", "nested", "summary", "init", "control", "two_graphs"]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("graphs")
    script = Path(__file__).with_name("graph_exports.py")
    done = subprocess.run(
        [sys.executable, str(script), str(base), str(base / "marks")],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return base


def left(exports: Path) -> set[str]:
    """The files written since the export."""
    return {path.name for path in (exports / "marks").iterdir()} - set(json.loads((exports / "marks.json").read_text()))


def found(folder: Path, trust: Trust | None = None) -> list[checks.Finding]:
    subject = checks.CheckContext(
        Model(name="m"), Version.from_json({}), artifacts.inspect_model_dir(folder), trust=trust
    )
    outcome = checks.RULES[GRAPH.id].apply(subject)
    return list(outcome.findings) if isinstance(outcome, checks.Failed) else []


def asked(folder: Path, instances: object, parents: ForkServerPool, *, trusted: bool) -> object:
    with start(WorkerSpec(folder, trusted=trusted), log_dir=folder.parent / "logs", fork_servers=parents) as worker:
        worker.load()
        return json.loads(worker.predict(json.dumps({"instances": instances}).encode()))["predictions"]


@pytest.mark.parametrize("name", HOSTILE)
def test_graph_trust_names_what_a_graph_reaches_and_prevents_it(
    exports: Path, parents: ForkServerPool, name: str
) -> None:
    folder = exports / "hostile" / name
    [finding] = found(folder)
    assert HOSTILE[name] in finding.message
    assert finding.severity == "error"
    assert ("tf.py_function" if name in ("python", "numpy") else "--trust") in finding.fix
    before = left(exports)
    with pytest.raises(TrustError) as caught:
        asked(folder, [1.0, 2.0], parents, trusted=False)  # without the preflight check
    assert HOSTILE[name] in caught.value.detail
    assert "--trust" in caught.value.fix
    assert left(exports) == before
    files = {digest(one.path): one.size for one in artifacts.inspect_model_dir(folder).files}
    assert found(folder, Trust(files=files)) == []


@pytest.mark.parametrize("name", WRITING)
def test_graph_trust_lets_a_trusted_graph_run(exports: Path, parents: ForkServerPool, name: str) -> None:
    """A trusted model has its side effect, unless the kernel confines workers and denies it."""
    before = left(exports)
    told = ""
    try:
        answer = asked(exports / "hostile" / name, [1.0, 2.0], parents, trusted=True)
        assert isinstance(answer, list)
        assert len(answer) == 2
    except PredictionError as refused:
        told = refused.message
    if told:
        assert "Permission denied" in told, told  # the kernel's denial, not a lack of trust
        assert left(exports) == before
    else:
        assert {mark.partition(".")[0] for mark in left(exports) - before} == {name}


@pytest.mark.parametrize("name", ORDINARY)
def test_graph_trust_does_not_ask_about_ordinary_models(exports: Path, parents: ForkServerPool, name: str) -> None:
    folder = exports / "ordinary" / name
    instances = json.loads((exports / "ordinary.json").read_text())[name]
    assert found(folder) == []
    before = left(exports)
    answer = asked(folder, instances, parents, trusted=False)
    assert isinstance(answer, list)
    assert len(answer) == len(instances)
    assert answer == asked(folder, instances, parents, trusted=True)
    assert left(exports) == before


def test_graph_trust_fills_tables_from_the_models_own_assets(exports: Path, parents: ForkServerPool) -> None:
    answer = asked(exports / "ordinary" / "table", ["a", "c", "?"], parents, trusted=False)
    assert answer == [{"y": 0}, {"y": 2}, {"y": -1}]
    assert asked(exports / "ordinary" / "vocabulary_1", [1.0], parents, trusted=False) == [{"y": 4.0}]


@pytest.mark.parametrize("place", ["variables", "assets"])
def test_graph_trust_reads_files_in_the_models_own_folders(
    exports: Path, parents: ForkServerPool, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exports / "ordinary" / "table", folder)
    moved = next(path for path in sorted((folder / place).iterdir()) if path.suffix != ".index")
    shutil.move(moved, tmp_path / "elsewhere")
    moved.symlink_to(tmp_path / "elsewhere")
    [finding] = found(folder)
    assert finding.message == f"{place}/{moved.name} is a link to a file outside the model directory"
    with pytest.raises(TrustError, match="a link to a file outside of the model"):
        asked(folder, ["a"], parents, trusted=False)
    assert asked(folder, ["a"], parents, trusted=True) == [{"y": 0}]


@pytest.mark.parametrize("model", ["nested/saved_model.pb", "named_text/saved_model.pbtxt"])
def test_graph_trust_answers_a_garbled_graph_without_a_crash(exports: Path, tmp_path: Path, model: str) -> None:
    data = (exports / "hostile" / model).read_bytes()
    chance = random.Random(0)
    told = set()
    for round_ in range(200):
        garbled = bytearray(data[: chance.randrange(len(data))] if round_ % 3 == 0 else data)
        for _ in range(chance.randrange(1, 40)):
            if garbled:
                garbled[chance.randrange(len(garbled))] = chance.randrange(256)
        (tmp_path / Path(model).name).write_bytes(garbled)
        told |= {one.message for one in found(tmp_path)}
    assert any("could not be read completely" in text for text in told)
    assert any("WriteFile" in text for text in told)


def test_graph_trust_asks_about_a_damaged_file_that_stays_the_models_fault(
    parents: ForkServerPool, tmp_path: Path
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x12\xff\xff\xff\x7f" + os.urandom(50))
    [finding] = found(tmp_path)
    assert (
        finding.message
        == "saved_model.pb could not be read completely, so the code that loading it would run is unknown"
    )
    with pytest.raises(PredictionError) as caught:
        asked(tmp_path, [1.0], parents, trusted=False)
    assert not isinstance(caught.value, TrustError)

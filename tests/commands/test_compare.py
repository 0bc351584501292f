"""`compare` with real models at a real server: labels, numbers, columns, logs, errors, interrupts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import pytest
from isolation import isolate
from recording_reporter import RecordingReporter
from resource_lines import Lines
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from aip_magics import errors
from aip_magics.client import transport
from aip_magics.commands.common.comparison_requests import parse_instances, requests_of_log
from aip_magics.commands.common.execution import execute
from aip_magics.commands.common.magic_line import split_line
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.deploy.comparison import LabelChange, PredictionComparison
from aip_magics.events import Event, Failed, Progress, StepFinished
from aip_magics.render import html, text
from aip_magics.retry import RetryPolicy
from aip_magics.targets import local

ROOT = Path(__file__).parents[2]
Iris = tuple[list[list[float]], list[int]]
Save = Callable[[str, Any], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def make(name: str, model: Any) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        joblib.dump(model, directory / "model.joblib")
        return directory

    return make


@pytest.fixture(scope="module")
def tree(iris_data: Iris) -> Any:
    return DecisionTreeClassifier(max_depth=2, random_state=0).fit(*iris_data)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, deployed_once: Path, tree: Any) -> Iterator[Path]:
    """The data directory of a server with iris/v1, a regression, and iris/v2, a small tree."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("compare")
        home = isolate(patch, directory)
        shutil.copytree(deployed_once, home)
        (directory / "tree").mkdir()
        joblib.dump(tree, directory / "tree" / "model.joblib")
        Lines(home)(f"deploy v2 --model iris --origin {directory / 'tree'}")
        yield home
        local.stop(home)


@pytest.fixture
def aip(shared_server: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Lines against that server, which the tests of this file share: each changes only models of its own."""
    monkeypatch.setenv("AIP_MAGICS_HOME", str(shared_server))
    return Lines(shared_server)


def magic(aip: Lines, line: str, **names: Any) -> PredictionComparison:
    """Run `%aip_compare` as a notebook with these variables."""
    command = get_command("compare")
    args = build_parser(command, "compare").parse(split_line(line, names))
    found = execute(command, args, None, Lines(aip.journal.data_dir, names=names).context)
    assert isinstance(found, PredictionComparison)
    return found


def test_compare_counts_what_the_models_predict_differently(
    aip: Lines, iris_data: Iris, iris_export: Path, tree: Any
) -> None:
    rows = numpy.array(iris_data[0])
    one = joblib.load(iris_export / "model.joblib").predict(rows)
    other = tree.predict(rows)
    result = magic(aip, "v1 v2 --model iris --instances $rows", rows=rows)
    different = [int(index) for index in numpy.flatnonzero(one != other)]
    assert different  # these models do differ
    assert (result.instances, result.compared, result.differing) == (150, 150, len(different))
    assert [example.index for example in result.examples] == different
    (output,) = result.outputs
    pairs = [(int(one[index]), int(other[index])) for index in different]
    assert set(output.changes) == {LabelChange(*pair, pairs.count(pair)) for pair in pairs}
    assert (result.left.version, result.left.requests, result.left.failed) == ("v1", 75, 0)
    assert result.left.p50_ms
    assert result.latency_ratio
    frame = pandas.DataFrame(result.rows())
    assert list(frame.columns) == ["index", "instance", "left", "right", "where"]
    assert len(frame) == len(different)
    shown = text.of(result)
    assert f"{len(different)} of 150 predictions differ" in shown
    assert f"{len(different)} of 150 predictions differ" in html.of(result)
    assert json.loads(json.dumps(result.to_json()))["differing"] == len(different)


def test_compare_of_a_version_with_itself_finds_no_difference(aip: Lines, iris_data: Iris) -> None:
    result = magic(aip, "v1 v1 --model iris --instances $rows --batch-size 7 --concurrency 2", rows=iris_data[0])
    assert result.is_equal
    assert (result.left.requests, result.concurrency) == (22, 2)
    assert "all 150 predictions are equal" in text.of(result)


def test_compare_measures_numbers_within_the_tolerance(aip: Lines, iris_data: Iris, save: Save) -> None:
    rows, species = numpy.array(iris_data[0]), numpy.array(iris_data[1], dtype=float)
    model = LinearRegression().fit(rows, species)
    close = LinearRegression().fit(rows, species)
    close.intercept_ += 0.25
    aip(f"deploy v1 --model numbers --origin {save('one', model)}")
    aip(f"deploy v2 --model numbers --origin {save('close', close)}")
    result = magic(aip, "v1 v2 --model numbers --instances $rows", rows=rows)
    (output,) = result.outputs
    assert output.changes == ()
    assert output.max_absolute == pytest.approx(0.25)
    assert output.mean_absolute == pytest.approx(0.25)
    assert result.differing == 150
    wide = magic(aip, "v1 v2 --model numbers --instances $rows --tolerance 1", rows=rows)
    assert wide.differing < 150


def test_compare_arranges_the_columns_of_a_frame_for_each_version(aip: Lines, iris_data: Iris, save: Save) -> None:
    frame = pandas.DataFrame(iris_data[0], columns=list("abcd"))
    for version, columns in (("v1", "abcd"), ("v2", "dcba")):
        model = LinearRegression().fit(frame[list(columns)], iris_data[1])
        aip(f"deploy {version} --model named --origin {save(version, model)}")
    assert magic(aip, "v1 v2 --model named --instances $frame", frame=frame).is_equal
    assert not magic(aip, "v1 v2 --model named --instances $rows", rows=iris_data[0]).is_equal


def test_compare_reads_files_and_objects(aip: Lines, iris_data: Iris, tmp_path: Path) -> None:
    rows = iris_data[0][:3]
    (tmp_path / "lines").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "request.json").write_text(json.dumps({"instances": rows}))
    aip(f"upload {tmp_path / 'list.json'} gs://aip-local-aiplatform/rows")
    for name in ("lines", "list.json", "request.json"):
        assert aip(f"compare v1 v1 --model iris --instances {tmp_path / name}").instances == 3
    assert aip("compare v1 v1 --model iris --instances gs://aip-local-aiplatform/rows/list.json").instances == 3


@pytest.mark.parametrize(
    ("content", "instances"),
    [
        ("[1, 2]\n", [[1, 2]]),
        ("[1, 2]\n[3, 4]\n", [[1, 2], [3, 4]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ('[{"a": 1}]', [{"a": 1}]),
        ('{"a": 1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ('"text"', ["text"]),
        ('{"instances": [1]}', [1]),
    ],
)
def test_compare_parses_one_document_or_a_value_per_line(content: str, instances: list[Any]) -> None:
    assert parse_instances(content.encode(), "file")["instances"] == instances


@pytest.mark.parametrize("content", ["", "{", "[1, 2]\n\n[3]", '{"instances": []}', "[[NaN]]", "\xff"])
def test_compare_names_the_file_that_it_cannot_parse(content: str) -> None:
    with pytest.raises(errors.InstancesError) as caught:
        parse_instances(content.encode("latin-1"), "--instances rows.json")
    assert "--instances rows.json" in caught.value.where


def test_compare_repeats_the_requests_of_the_log(
    aip: Lines, tmp_path: Path, iris_data: Iris, iris_export: Path
) -> None:
    aip(f"deploy v1 --model logged --origin {iris_export}")
    with pytest.raises(errors.OptionError, match="no request of version v1 has been logged") as caught:
        aip("compare v1 v1 --model logged --from-log 5")
    line = caught.value.fix.removeprefix("run %aip_").removesuffix(" to log the requests from now on")
    aip(line)  # what the fix says works
    for number in range(4):
        rows = "".join(f"{json.dumps(row)}\n" for row in iris_data[0][number : 2 * number + 1])
        (tmp_path / "rows").write_text(rows)
        aip(f"predict --model logged --version v1 --json-instances {tmp_path / 'rows'}")
    result = aip("compare v1 v1 --model logged --from-log 3")
    assert (result.source, result.instances, result.left.requests) == ("log", 2 + 3 + 4, 3)
    assert (result.skipped, result.compared) == (0, 9)


def test_compare_skips_requests_of_the_log_that_cannot_be_repeated() -> None:
    whole = json.dumps({"raw_data": '{"instances": [1, 2], "parameters": {"a": 1}}'})
    broken = [json.dumps({"raw_data": data}) for data in ("{", "[]", '{"instances": []}', '{"instances": 1}')]
    note = json.dumps({"lostLines": 3, "error": "full"})
    requests, skipped = requests_of_log([whole, *broken, note, "no JSON", "[1]"])
    assert [request.instances for request in requests] == [[1, 2]]
    assert json.loads(requests[0].left)["parameters"] == {"a": 1}
    assert skipped == len(broken) + 2


def test_compare_counts_the_errors_of_a_version_and_fails_in_a_shell(
    aip: Lines, save: Save, tmp_path: Path, iris_export: Path
) -> None:
    narrow = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    aip(f"deploy v1 --model narrow --origin {iris_export}")
    aip(f"deploy v2 --model narrow --origin {save('narrow', narrow)}")
    (tmp_path / "rows").write_text("[5.1, 3.5, 1.4, 0.2]\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "aip_magics", "compare", "v1", "v2", "--model", "narrow"),
            *("--instances", tmp_path / "rows", "--format", "json"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["compared"], found["isEqual"], found["right"]["failed"]) == (0, False, 1)
    assert "4 features" in found["right"]["errors"][0]["message"]
    shown = text.of(aip(f"compare v1 v2 --model narrow --instances {tmp_path / 'rows'}"))
    assert "no instance was predicted by both versions" in shown
    assert "first: instance 0" in shown


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("compare v1 v2 --model iris", "expected either instances or requests of the log"),
        ("compare v1 v2 --model iris --instances x --from-log 5", "expected either instances or requests of the log"),
        ("compare v1 v2 --model iris --from-log 0", "expected 1 or more, got 0"),
        ("compare v1 v2 --model iris --from-log 20000", "must be between 1 and 10000"),
        ("compare v1 v2 --model iris --from-log 5 --batch-size 2", "requests of the log are sent as they were"),
        ("compare v1 v2 --model iris --from-log 5 --signature-name s", "requests of the log are sent as they were"),
        ("compare v1 v2 --model iris --instances x --batch-size 0", "expected 1 or more, got 0"),
        ("compare v1 v2 --model iris --instances x --concurrency 99", "must be between 1 and 10"),
        ("compare v1 v2 --model iris --instances x --tolerance -1", "expected 0 or more, got -1.0"),
        ("compare v1 v2 --model iris --instances x --tolerance nan", "expected 0 or more, got nan"),
        ("compare v1", "the following arguments are required: OTHER"),
    ],
)
def test_compare_tells_mistakes_before_anything_is_sent(home: Path, line: str, told: str) -> None:
    with pytest.raises(errors.OptionError) as caught:
        Lines(home)(line)
    assert told in str(caught.value)
    assert caught.value.fix
    assert not (home / "server.json").exists()


def test_compare_tells_what_does_not_exist(aip: Lines, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("[5.1, 3.5, 1.4, 0.2]\n")
    with pytest.raises(errors.NotFound):
        aip(f"compare v1 v9 --model iris --instances {tmp_path / 'rows'}")
    with pytest.raises(errors.InstancesError, match="could not read the file"):
        aip(f"compare v1 v2 --model iris --instances {tmp_path / 'nowhere'}")
    with pytest.raises(errors.CellError, match="not defined"):
        magic(aip, "v1 v2 --model iris --instances $nothing")


class Acting(RecordingReporter):
    """Does something as soon as a request is answered."""

    def __init__(self, action: Callable[[], Any]) -> None:
        super().__init__()
        self.action = action
        self.acted = False

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, Progress) and event.done and not self.acted:
            self.acted = True
            self.action()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_compare_is_interrupted_cleanly(aip: Lines, iris_data: Iris, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(iris_data[0]))
    face = Acting(interrupt)
    with pytest.raises(errors.Interrupted) as caught:
        aip(f"compare v1 v2 --model iris --instances {tmp_path / 'rows.json'}", reporter=face)
    assert "Compare v1 with v2" in caught.value.where
    assert isinstance(face.events[-1], Failed)
    result = aip(f"compare v1 v2 --model iris --instances {tmp_path / 'rows.json'}")  # as the fix says
    assert result.compared == 150
    assert isinstance(aip.face.events[-1], StepFinished)


def test_compare_ends_when_the_server_does(
    deployed: Path, iris_data: Iris, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "RETRY_POLICY", RetryPolicy(0.01, 0.01, 1.0, 2))
    (tmp_path / "rows.json").write_text(json.dumps(iris_data[0]))
    face = Acting(lambda: local.stop(deployed))
    with pytest.raises(errors.Unavailable, match="could not connect"):
        Lines(deployed)(f"compare v1 v1 --batch-size 1 --instances {tmp_path / 'rows.json'}", reporter=face)
    assert isinstance(face.events[-1], Failed)

"""The target vertex against the embedded server, which speaks Vertex AI's API, from deploy to delete."""

from __future__ import annotations

import shutil
from pathlib import Path

import joblib
import pytest
from resource_lines import Lines
from sklearn.linear_model import LogisticRegression

from aip_magics.client.vertex.version import VertexVersion
from aip_magics.errors import FailedPrecondition, NotFound, OptionError
from aip_magics.events import Note, StepFinished, StepSkipped
from aip_magics.render import text
from aip_magics.settings import resolve
from aip_magics.targets import choose

TEST = "test:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]\n"
WHERE = "--target vertex --endpoint local"


@pytest.fixture
def lines(embedded: Path) -> Lines:
    return Lines(embedded)


@pytest.fixture
def export(tmp_path: Path, iris_export: Path) -> Path:
    """A copy of the model that a test may change."""
    return Path(shutil.copytree(iris_export, tmp_path / "iris"))


def retrain(export: Path, iris_data: tuple[list[list[float]], list[int]]) -> None:
    joblib.dump(LogisticRegression(max_iter=321).fit(*iris_data), export / "model.joblib")


def summaries(lines: Lines) -> dict[str, str]:
    """What each step of the last run said, by step."""
    said = {event.step: event.summary for event in lines.face.of(StepFinished)}
    return {**said, **{event.step: event.reason for event in lines.face.of(StepSkipped)}}


def test_vertex_deploys_predicts_and_changes_nothing_when_run_again(lines: Lines, export: Path) -> None:
    version = lines(f"deploy --model iris --origin {export} {WHERE}", TEST)
    assert isinstance(version, VertexVersion)
    assert (version.id, version.state, version.isDefault, version.trafficPercentage) == ("v1", "READY", True, 100)
    assert version.machineType == "n1-standard-2"
    assert "identical to the local predictions" in summaries(lines)["predict"]
    lines.face.events.clear()
    again = lines(f"deploy --model iris --origin {export} {WHERE}", TEST)
    assert again == version
    assert summaries(lines)["version"] == "v1 is READY and unchanged: nothing to do"


def test_vertex_deploys_a_changed_model_as_the_next_version_which_gets_no_requests(
    lines: Lines, export: Path, iris_data: tuple[list[list[float]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines(f"deploy --model iris --origin {export} {WHERE}", TEST)
    retrain(export, iris_data)
    second = lines(f"deploy --model iris --origin {export} {WHERE}", TEST)
    assert (second.id, second.modelVersion.rpartition("/")[2], second.trafficPercentage) == ("v2", "iris@2", 0)
    assert "identical to the local predictions" in summaries(lines)["predict"]  # asked by itself, without requests
    listed = lines(f"list --model iris {WHERE}")
    assert [(one.id, one.isDefault, one.trafficPercentage) for one in listed] == [("v1", True, 100), ("v2", None, 0)]
    assert len({one.endpoint for one in listed}) == 1
    shown = text.of(lines.face.shown[-1])
    assert ("100 %" in shown, "0 %" in shown, "n1-standard-2" in shown) == (True, True, True)
    assert lines(f"traffic iris v2=10 v1=90 {WHERE}").split == {"v2": 10, "v1": 90}
    previewed = lines(f"promote v2 --model iris --dry-run {WHERE}").requests
    assert [request.method for request in previewed] == ["PATCH", "POST"]
    default = lines(f"set-default v2 --model iris {WHERE}")
    assert (default.id, default.isDefault, default.trafficPercentage) == ("v2", True, 100)
    answer = lines(f"predict --model iris {WHERE}", "[[5.1, 3.5, 1.4, 0.2]]")
    assert (answer["predictions"], answer["modelVersionId"]) == ([0], "2")
    assert lines(f"predict --model iris --version v1 {WHERE}", "[[5.1, 3.5, 1.4, 0.2]]")["modelVersionId"] == "1"
    client = choose(resolve(target="vertex", endpoint="local")).client
    ask, sent, send = client.predictor("iris", "v1"), [], client.transport.send
    monkeypatch.setattr(client.transport, "send", lambda request: sent.append(request.method) or send(request))
    answers = [ask(b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}')["modelVersionId"] for _ in range(2)]
    assert (answers, sent) == (["1", "1"], ["POST", "POST"])  # the version is looked up once
    assert lines(f"rollback --model iris {WHERE}").split == {"v2": 10, "v1": 90}
    assert lines(f"set-default 2 --model iris {WHERE}").id == "v2"
    assert lines(f"rollback --model iris {WHERE}").split == {"v2": 10, "v1": 90}
    assert lines(f"rollback --model iris {WHERE}").split == {"v2": 100}  # by the name, not the number
    assert lines(f"rollback --model iris {WHERE}").split == {"v2": 10, "v1": 90}
    with pytest.raises(FailedPrecondition, match="v2 is the default version of model iris") as caught:
        lines(f"delete v2 --model iris --yes {WHERE}")
    lines(caught.value.fix.split("`")[0].replace("run %aip_set_default", "set-default").replace(" first", f" {WHERE}"))
    lines(f"delete v2 --model iris --yes {WHERE}")
    assert lines(f"traffic iris {WHERE}").split == {"v1": 100}
    lines(f"delete --model iris --all-versions --yes {WHERE}")
    assert lines(f"list {WHERE}") == []


def test_vertex_describes_lists_and_deletes(lines: Lines, export: Path) -> None:
    line = (
        f"deploy v1_2 --model iris --origin {export} {WHERE} --labels team=a --description first --min-nodes 2"
        " --max-nodes 3 --metric-targets cpu-usage=70 --machine-type n1-standard-4 --model-labels app=b"
        " --enable-logging --model-description"
    )
    created = lines(f"{line} irises")
    assert lines(f"{line} other") == created  # and says that the model keeps its description
    assert any("which a deploy does not change" in note.text for note in lines.face.of(Note))
    version = lines(f"describe v1-2 --model iris {WHERE}")
    assert version == lines(f"describe 1 --model iris {WHERE}")
    assert (version.id, version.labels, version.description) == ("v1-2", {"team": "a"}, "first")
    assert version.autoScaling.to_json() == {
        "minNodes": 2, "maxNodes": 3, "metrics": [{"name": "CPU_USAGE", "target": 70}],
    }  # fmt: skip
    assert lines(f"traffic iris v1_2=100 {WHERE}").split == {"v1-2": 100}  # named as in its deployment
    with pytest.raises(OptionError, match="version v1-2 is given twice"):
        lines(f"traffic iris v1-2=50 v1_2=50 {WHERE}")
    model = lines(f"describe --model iris {WHERE}")
    assert (model.id, model.labels, model.description) == ("iris", {"app": "b"}, "irises")
    assert (model.onlinePredictionLogging, model.defaultVersion.id) == (True, "v1-2")
    assert [one.id for one in lines(f"list {WHERE}")] == ["iris"]
    with pytest.raises(FailedPrecondition, match="has versions: v1-2"):
        lines(f"delete --model iris --yes {WHERE}")
    lines(f"delete v1-2 --model iris --yes --artifacts {WHERE}")
    assert lines(f"describe --model iris {WHERE}").defaultVersion is None  # the endpoint, with its labels, is kept
    assert lines(f"list --model iris {WHERE}") == []
    lines(f"delete --model iris --yes {WHERE}")
    with pytest.raises(NotFound):
        lines(f"describe --model iris {WHERE}")

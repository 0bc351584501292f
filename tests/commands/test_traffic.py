"""`traffic`, `promote`, `rollback` with real versions at a real server: what gets the requests, and what was before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from isolation import isolate
from resource_lines import Lines

from aip_magics import errors, settings
from aip_magics.client import Client, calls
from aip_magics.commands.common import traffic_journal
from aip_magics.commands.common.traffic_change import Traffic, open_journal
from aip_magics.commands.show import DryRun
from aip_magics.render import html, text
from aip_magics.targets import Target, choose, local
from aip_magics.targets.plans import PredictionApiPlans

ROOT = Path(__file__).parents[2]
V1, V2, V3 = {"v1": 100}, {"v2": 100}, {"v3": 100}


@pytest.fixture(scope="module")
def three_once(tmp_path_factory: pytest.TempPathFactory, deployed_once: Path) -> Path:
    """The data directory of a stopped server that has iris/v1, iris/v2 and iris/v3."""
    with pytest.MonkeyPatch.context() as patch:
        home = isolate(patch, tmp_path_factory.mktemp("three"))
        shutil.copytree(deployed_once, home)
        aip = Lines(home)
        for version in ("v2", "v3"):
            origin = "gs://aip-local-aiplatform/iris/v1/"
            aip(f"create-version {version} --model iris --origin {origin} --framework scikit-learn")
        assert local.stop(home)
    return home


@pytest.fixture
def aip(embedded: Path, three_once: Path) -> Lines:
    """Lines against a server of the test's own, with these versions."""
    shutil.copytree(three_once, embedded)
    local.start(embedded)
    return Lines(embedded)


@pytest.fixture
def target(aip: Lines) -> Target:
    """The target as another client, which writes no journal."""
    found = choose(settings.resolve(target="local"))
    found.connect()
    return found


def default(aip: Lines) -> str:
    name = aip("describe --model iris").defaultVersion.id
    assert isinstance(name, str)
    return name


def test_promote_and_rollback_return_to_what_was_before(aip: Lines) -> None:
    promoted = aip("promote v2 --model iris")
    assert isinstance(promoted, Traffic)
    assert (promoted.split, promoted.before, promoted.model) == (V2, V1, "iris")
    assert default(aip) == "v2"
    assert "to undo the change: %aip_rollback --model iris" in text.of(promoted)
    assert aip("rollback --model iris").split == V1
    assert default(aip) == "v1"
    undone = aip("rollback --model iris")  # undoes the rollback
    assert (undone.split, undone.before) == (V2, V1)
    assert default(aip) == "v2"
    aip("promote v3 --model iris")
    assert aip("rollback").split == V2  # the only model of the project


def test_promote_of_the_version_that_has_all_traffic_changes_nothing(aip: Lines) -> None:
    assert aip("promote v1").before is None
    with pytest.raises(errors.OptionError, match="no earlier traffic of model iris is known"):
        aip("rollback --model iris")
    aip("promote v2")
    again = aip("promote v2")
    assert (again.split, again.before) == (V2, None)
    assert aip("rollback").split == V1


def test_rollback_knows_what_was_before_another_clients_change(aip: Lines, target: Target) -> None:
    aip("promote v2")
    target.client.set_default("iris", "v3")
    assert aip("rollback").split == V2
    assert aip("rollback").split == V3
    target.client.set_default("iris", "v1")
    assert aip("rollback").split == V3


def test_rollback_undoes_set_default(aip: Lines) -> None:
    version = aip("set-default v2 --model iris")
    assert (version.id, version.isDefault) == ("v2", True)
    assert aip("rollback").split == V1
    with pytest.raises(errors.NotFound):
        aip("set-default v9 --model iris")
    assert aip("rollback").split == V2  # what failed is not in the journal


def test_rollback_names_a_version_that_is_gone(aip: Lines) -> None:
    aip("promote v2")
    aip("delete v1 --model iris --yes")
    with pytest.raises(errors.NotFound, match="version v1, which had traffic before, no longer exists") as caught:
        aip("rollback")
    assert caught.value.where == "iris/v1"
    line, _, names = caught.value.fix.removeprefix("use %aip_").partition(" with one of ")
    assert names == "v2, v3"
    aip(line.replace("VERSION", "v3"))  # as the fix says
    assert default(aip) == "v3"


def test_rollback_of_a_model_that_nobody_changed(aip: Lines) -> None:
    with pytest.raises(errors.OptionError, match="no earlier traffic of model iris is known") as caught:
        aip("rollback --model iris")
    assert caught.value.fix == "use %aip_promote v2 --model iris"
    aip(caught.value.fix.removeprefix("use %aip_"))
    assert aip("rollback --model iris").split == V1


def test_rollback_of_a_model_without_versions(aip: Lines, target: Target) -> None:
    aip("create-model empty")
    open_journal(target, "empty").add(V1)  # of a version that is deleted
    with pytest.raises(errors.NotFound, match="no version of the model gets requests") as caught:
        aip("rollback --model empty")
    assert aip(caught.value.fix.removeprefix("%aip_")) == []


def test_promote_leaves_a_model_of_this_name_in_another_project(aip: Lines) -> None:
    with pytest.raises(errors.NotFound):
        aip("promote projects/other/models/iris/versions/v2")
    assert default(aip) == "v1"
    with pytest.raises(errors.OptionError, match="expected one model, got projects/other/models/iris, projects/aip"):
        aip("compare projects/other/models/iris/versions/v2 projects/aip-local/models/iris/versions/v1 --from-log 1")


def test_traffic_shows_and_sets_what_one_version_gets(aip: Lines) -> None:
    before = len(aip.journal.entries())
    assert aip("traffic iris").split == V1
    assert len(aip.journal.entries()) == before  # nothing was changed
    changed = aip("traffic iris v2=100 v1=0")
    assert (changed.split, changed.before) == (V2, V1)
    assert "100 %" in html.of(changed)
    assert json.loads(json.dumps(changed.to_json())) == {
        "model": "projects/aip-local/models/iris",
        "traffic": V2,
        "before": V1,
    }
    assert default(aip) == "v2"
    assert [(entry.verb, entry.what) for entry in aip.journal.entries()[before:]] == [
        ("traffic", "projects/aip-local/models/iris")
    ]
    aip("create-model empty")
    assert "no version of the model gets requests" in text.of(aip("traffic empty"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("traffic iris v9=100", "version v9 of model iris does not exist"),
        ("promote v9 --model iris", "version v9 of model iris does not exist"),
        ("traffic nothing", "nothing"),
        ("traffic nothing v1=100", "nothing"),
        ("promote v1 --model nothing", "nothing"),
    ],
)
def test_traffic_names_what_does_not_exist(aip: Lines, line: str, told: str) -> None:
    with pytest.raises((errors.OptionError, errors.NotFound), match=told):
        aip(line)
    assert default(aip) == "v1"


@pytest.mark.parametrize(
    ("line", "told", "fix"),
    [
        ("traffic iris v2=10 v1=90", "AI Platform sends all requests to the default", "%aip_promote v2 --model iris"),
        ("traffic iris v2=10 v1=90 --dry-run", "AI Platform sends all requests", "%aip_promote v2 --model iris"),
        ("traffic iris v2=10 v1=80", "must add up to 100, got 90", "sum is 100"),
        ("traffic iris v2=-1 v1=101", "must be between 0 and 100, got -1", "between 0 and 100"),
        ("promote v2 --dry-run", "a model name is required", "%aip_promote v2 --model iris"),
        ("rollback --show curl", "a model name is required", "%aip_rollback --model iris"),
        ("rollback --model iris --dry-run", "no earlier traffic of model iris is known", "%aip_promote VERSION"),
        ("promote", "the following arguments are required: VERSION", "promote"),
        (
            "promote projects/aip-local/models/one/versions/v1 --model two --dry-run",
            "expected one model, got one, two",
            "versions of the same model",
        ),
    ],
)
def test_traffic_tells_mistakes_before_anything_is_sent(home: Path, line: str, told: str, fix: str) -> None:
    with pytest.raises(errors.OptionError) as caught:
        Lines(home)(line)
    assert told in str(caught.value)
    assert fix in caught.value.fix
    assert not (home / "server.json").exists()  # no server was started for it


def test_promote_asks_for_the_model_where_there_are_several(aip: Lines) -> None:
    aip("create-model other")
    with pytest.raises(errors.OptionError, match="the project has iris, other") as caught:
        aip("promote v2")
    aip(f"promote v2 {caught.value.fix.removeprefix('add ')}")
    assert default(aip) == "v2"
    aip("promote projects/aip-local/models/iris/versions/v1")  # a full name needs no --model
    assert default(aip) == "v1"
    with pytest.raises(errors.OptionError, match="the project has no model"):
        aip("promote v2 --region europe-west1")


def test_rollback_shows_its_request_without_sending_it(aip: Lines) -> None:
    aip("promote v2")
    dry = aip("rollback --model iris --dry-run")
    assert isinstance(dry, DryRun)
    assert [request.url.partition("/v1/")[2] for request in dry.requests] == [
        "projects/aip-local/models/iris/versions/v1:setDefault"
    ]
    assert "set-default v1 --model=iris" in aip("rollback --model iris --show gcloud")
    assert "models/iris" in aip("traffic iris --dry-run").requests[0].url
    assert default(aip) == "v2"


@pytest.fixture
def splitting(aip: Lines, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let the target of these lines split the traffic of a model; the split is only remembered here."""
    split = dict(V1)

    def set_traffic(_client: Client, _model: str, wanted: Mapping[str, int]) -> None:
        split.clear()
        split.update(wanted)

    monkeypatch.setattr(local.LocalTarget, "missing", lambda _target: {})
    monkeypatch.setattr(Client, "get_traffic", lambda _client, _model: dict(split))
    monkeypatch.setattr(Client, "set_traffic", set_traffic)
    monkeypatch.setattr(PredictionApiPlans, "set_traffic", lambda *_: [calls.get("endpoint")])
    return split


def test_traffic_splits_where_the_target_can_and_rolls_back_to_a_split(aip: Lines, splitting: dict[str, int]) -> None:
    canary = aip("traffic iris v2=10 v1=90")
    assert splitting == {"v1": 90, "v2": 10}
    assert (canary.split, canary.before) == (splitting, V1)
    shown = text.of(canary)
    assert shown.index("v1") < shown.index("v2")  # the largest share first
    assert "10 %" in shown
    aip("promote v2 --model iris")
    assert splitting == V2
    assert aip("rollback --model iris").split == {"v1": 90, "v2": 10}
    assert splitting == {"v1": 90, "v2": 10}
    assert aip("rollback --model iris").split == V2
    with pytest.raises(errors.OptionError, match="version v9 of model iris does not exist"):
        aip("traffic iris v2=50 v9=50")
    assert splitting == V2


def test_promote_says_if_the_journal_cannot_be_written(aip: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    (aip.journal.data_dir / traffic_journal.TRAFFIC_DIR).write_text("a file in the place of the directory")
    promoted = aip("promote v2")
    assert (promoted.split, promoted.is_recorded) == (V2, False)
    assert "a rollback will not know it" in text.of(promoted)
    assert default(aip) == "v2"


def test_traffic_journal_of_a_target_has_what_commands_changed(aip: Lines, target: Target) -> None:
    aip("promote v2")
    aip("traffic iris v3=100")
    assert [entry.split for entry in open_journal(target, "iris").entries()] == [V1, V2, V3]


def test_promote_in_a_shell_prints_json(aip: Lines) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aip_magics", "promote", "v2", "--model", "iris", "--format", "json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert json.loads(done.stdout)["traffic"] == V2
    assert default(aip) == "v2"

"""Deployments that reuse the result of an equal local trial, on a real server with real models."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest
from custom_models import ROUTINE, routine_dir, sdist
from recording_reporter import RecordingReporter
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

from aip_magics.checks import Skipped
from aip_magics.checks.context import TrialResult
from aip_magics.commands.show import local_equivalents
from aip_magics.data_directory import TRIALS
from aip_magics.deploy import Deployment, run
from aip_magics.deploy.preflight import build_plan, check_with_trial, run_trial
from aip_magics.deploy.runner import Result
from aip_magics.errors import ChecksFailed, PredictionError
from aip_magics.events import StepFinished, StepSkipped
from aip_magics.notebook.form import local_trial
from aip_magics.notebook.form.state import FormState
from aip_magics.settings import resolve
from aip_magics.spec import Model, Version
from aip_magics.targets import Target, choose

pytestmark = pytest.mark.slow  # workers

ROOT = str(Path(__file__).parents[2])
TEST = {"instances": [[1.0], [2.0]]}


def line(factor: float) -> LinearRegression:
    return LinearRegression().fit([[0.0], [1.0]], [0.0, factor])


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    (tmp_path / "line").mkdir()
    joblib.dump(line(3.0), tmp_path / "line" / "model.joblib")
    return tmp_path / "line"


class Deployed:
    """A deployment that has run: its result, and what its steps told."""

    def __init__(self, deployment: Deployment) -> None:
        self.reporter = RecordingReporter()
        self.result: Result = run(deployment, target(), self.reporter.emit)

    @property
    def reason(self) -> str:
        """Why the local trial was skipped; empty if it ran."""
        return next((event.reason for event in self.reporter.of(StepSkipped) if event.step == "try"), "")

    @property
    def online(self) -> str:
        return next(event.summary for event in self.reporter.of(StepFinished) if event.step == "predict")

    @property
    def predictions(self) -> Any:
        assert self.result.local is not None
        return self.result.local["predictions"]


def target() -> Target:
    return choose(resolve(target="local"))


def deployment(model_dir: Path, **fields: Any) -> Deployment:
    return Deployment(str(model_dir), Model.from_json({"name": "line"}), **{"test": TEST, **fields})


def plant(requested: Deployment, **fields: Any) -> None:
    """Remember a result that the model did not give."""
    plan = build_plan(requested, target())
    run_trial(plan, target(), lambda _trial: TrialResult(**{"predictions": [0.0, 0.0], **fields}))


def tried(requested: Deployment) -> TrialResult | Skipped:
    """The result of the local trial, which is reused if it can be."""
    return run_trial(build_plan(requested, target()), target(), reuse=True)[0]


def is_reused(result: TrialResult | Skipped) -> bool:
    return isinstance(result, TrialResult) and result.passed_at is not None


def predictions_of(result: TrialResult | Skipped) -> Any:
    assert isinstance(result, TrialResult), result
    assert result.error is None, result.error
    return result.predictions


def test_deploy_reuses_the_trial_and_compares_its_predictions(embedded: Path, model_dir: Path) -> None:
    requested = deployment(model_dir)
    first, second = Deployed(requested), Deployed(requested)
    forced = Deployed(dataclasses.replace(requested, force_trial=True))
    assert first.predictions == second.predictions == forced.predictions == pytest.approx([3.0, 6.0])
    assert first.reason == forced.reason == ""
    assert second.reason.startswith("unchanged since the local trial of 20")
    assert second.reason.endswith(" UTC passed: predictions reused; --try runs it again")
    assert first.online.endswith(", identical to the local predictions")
    assert ", identical to the local predictions of 20" in second.online
    assert second.online.endswith(" UTC")
    assert not [event for event in second.reporter.of(StepFinished) if event.step == "try"]

    elsewhere = Deployed(dataclasses.replace(requested, version=Version.from_json({"name": "other"})))
    assert elsewhere.reason.startswith("unchanged since")  # a new version of the same content
    other = Deployed(deployment(model_dir, test={"instances": [[4.0]]}))
    assert other.reason == ""
    assert other.predictions == pytest.approx([12.0])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time of change, only one of creation")
def test_trial_loads_a_file_that_has_the_size_and_time_of_the_last_one(home: Path, model_dir: Path) -> None:
    """In one process, whose worker has the last one loaded."""
    path = model_dir / "model.joblib"
    os.utime(path, (10**9, 10**9))
    size = path.stat().st_size
    assert predictions_of(tried(deployment(model_dir))) == pytest.approx([3.0, 6.0])
    assert is_reused(tried(deployment(model_dir)))
    joblib.dump(line(5.0), path)
    os.utime(path, (10**9, 10**9))
    assert (path.stat().st_size, path.stat().st_mtime) == (size, 10**9)
    changed = tried(deployment(model_dir))
    assert not is_reused(changed)
    assert predictions_of(changed) == pytest.approx([5.0, 10.0])


def test_deploy_fails_if_the_reused_predictions_are_not_the_online_ones(embedded: Path, model_dir: Path) -> None:
    requested = deployment(model_dir)
    plant(requested)
    with pytest.raises(PredictionError, match=r"online predictions and local predictions of 20.* differ") as caught:
        Deployed(requested)
    assert caught.value.fix == "add --try to run the local trial again"
    followed = Deployed(dataclasses.replace(requested, force_trial=True))
    assert followed.online.endswith(", identical to the local predictions")
    assert Deployed(requested).predictions == pytest.approx([3.0, 6.0])  # the new result is remembered


def test_trial_that_is_reused_is_checked_again(home: Path, model_dir: Path) -> None:
    """With the machine type of this deployment, not with that of the trial."""
    plant(deployment(model_dir), predictions=[3.0, 6.0], memory_bytes=5 * 10**9)

    def memory_findings(machine: str) -> list[str]:
        requested = deployment(model_dir, version=Version.from_json({"name": "v1", "machineType": machine}))
        result, report = run_trial(build_plan(requested, target()), target(), reuse=True)
        assert is_reused(result)
        return [found.message for found in report.findings if found.id == "T07"]

    assert memory_findings("n1-standard-8") == []
    [finding] = memory_findings("mls1-c1-m2")
    assert "used 5.0 GB" in finding


def test_trial_that_failed_is_not_remembered(home: Path, model_dir: Path) -> None:
    wrong = deployment(model_dir, test={"instances": [[1.0, 2.0]]})
    for _attempt in range(2):
        result = tried(wrong)
        assert isinstance(result, TrialResult)
        assert result.error is not None
    strict = deployment(model_dir, strict=True)
    plant(strict, predictions=[[1.0], [1.0, 2.0]])  # a warning, which counts as an error
    assert not (home / TRIALS).exists()
    plant(deployment(model_dir), predictions=[[1.0], [1.0, 2.0]])
    _result, report = run_trial(build_plan(strict, target()), target(), reuse=True)
    with pytest.raises(ChecksFailed, match="T08"):
        report.raise_on_errors()


def test_trial_of_code_of_the_user_always_runs(home: Path, tmp_path: Path, model_dir: Path) -> None:
    package = sdist(tmp_path, "routine", routine=ROUTINE)
    fields = {"packageUris": [str(package)], "predictionClass": "routine.Routine"}
    routine = deployment(
        routine_dir(tmp_path / "routine"), version=Version.from_json(fields), test={"instances": [1]}, trust=True
    )
    for _time in range(2):
        result = tried(routine)
        assert not is_reused(result)
        assert predictions_of(result) == [101]
    joblib.dump(FunctionTransformer(os.path.basename), model_dir / "model.joblib")  # a function that is in no list
    plant(deployment(model_dir, trust=True))
    assert not (home / TRIALS).exists()


def test_check_and_the_test_button_run_the_trial_always(home: Path, model_dir: Path) -> None:
    requested = deployment(model_dir)
    plant(requested, predictions=[[1.0], 2.0])
    assert not [found for found in check_with_trial(requested, target()).findings if found.id == "T08"]
    remembered = tried(requested)  # the result of the check
    assert is_reused(remembered)
    assert predictions_of(remembered) == pytest.approx([3.0, 6.0])

    plant(requested)
    state = FormState.of(requested, resolve(target="local"), "argument", regional=None)
    [shown, *_findings] = local_trial.run_local_trial(state)
    assert shown == {"predictions": pytest.approx([3.0, 6.0])}


def test_trial_of_a_saved_model_misses_changed_variables(home: Path, tmp_path: Path, tensorflow_exports: Path) -> None:
    model_dir = shutil.copytree(tensorflow_exports / "numbers", tmp_path / "model")
    requested = deployment(model_dir, test={"instances": [[1.0, 2.0]]})
    first = predictions_of(tried(requested))
    reused = tried(requested)
    assert is_reused(reused)
    assert predictions_of(reused) == first
    [variables] = (model_dir / "variables").glob("variables.data-*")
    content = bytearray(variables.read_bytes())
    content[:4] = b"\0\0\0\0"
    variables.write_bytes(content)
    assert not is_reused(tried(requested))


def test_trials_of_two_processes_at_once_are_remembered_once(
    home: Path, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)  # one of the inputs, also of this process's trial below
    config = tmp_path / "test.json"
    config.write_text('{"test": {"instances": [[1.0], [2.0]]}}')
    words = [sys.executable, "-m", "aip_magics", "check", str(model_dir), "--model", "line", "--config", str(config)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _process in range(2)]
    told = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len(list((home / TRIALS).iterdir())) == 1
    third = tried(deployment(model_dir))
    assert is_reused(third)
    assert predictions_of(third) == pytest.approx([3.0, 6.0])


def test_python_check_needs_no_word_about_the_trial(model_dir: Path) -> None:
    program = "\n".join(local_equivalents.python_check(deployment(model_dir), resolve(target="local")))
    assert "force_trial" not in program

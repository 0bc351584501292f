"""The main job in a real shell, against a real server process, on real models."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import joblib
import pytest

from aip_magics.errors import AlreadyExists, ChecksFailed, ModelDirError, OperationFailed, OptionError
from aip_magics.spec import Operation, Version
from aip_magics.targets import local

ROW = [5.1, 3.5, 1.4, 0.2]
TEST = f"test:\n  instances:\n  - {ROW}\n"


def deploy(shell: Any, line: str, body: str = TEST) -> Any:
    return shell.run_cell_magic("aip_deploy", line, body)


def test_aip_deploy_of_a_real_model_in_one_cell(
    shell: Any, iris_export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = deploy(shell, f"--model iris --origin {iris_export}")
    assert isinstance(version, Version)
    assert (version.id, version.state, version.framework, version.isDefault) == ("v1", "READY", "SCIKIT_LEARN", True)
    shown = capsys.readouterr().out
    order = ["look", "checks", "target", "try", "bucket", "upload", "model", "version", "wait", "describe", "predict"]
    places = [shown.index(f"✔ {step}: ") for step in order]
    assert places == sorted(places)
    assert "state: READY" in shown
    assert "identical to the local predictions" in shown


def test_magics_of_the_first_issue(shell: Any, iris_export: Path) -> None:
    model = joblib.load(iris_export / "model.joblib")
    expected = model.predict([ROW]).tolist()
    deploy(shell, f"--model iris --origin {iris_export}")
    assert shell.run_cell_magic("aip_predict", "--model iris", f"- {ROW}") == {"predictions": expected}
    assert shell.run_cell_magic("aip_local_predict", f"--model-dir {iris_export}", f"instances: [{ROW}]") == {
        "predictions": expected
    }
    assert [found.id for found in shell.run_line_magic("aip_list", "")] == ["iris"]
    assert [found.id for found in shell.run_line_magic("aip_list", "--model iris")] == ["v1"]
    [operation] = shell.run_line_magic("aip_list", "--operations")
    assert operation.done
    assert shell.run_line_magic("aip_describe", "--model iris").defaultVersion.id == "v1"
    assert shell.run_line_magic("aip_describe", f"--operation {operation.name}").name == operation.name
    assert shell.run_line_magic("aip_attach", operation.name).state == "READY"
    with pytest.raises(OptionError, match="deleting model iris requires confirmation"):
        shell.run_line_magic("aip_delete", "--model iris")
    shell.run_line_magic("aip_delete", "--model iris --all-versions --yes")
    assert shell.run_line_magic("aip_list", "") == []


def test_aip_deploy_again_is_no_second_deployment(shell: Any, iris_export: Path, tmp_path: Path) -> None:
    export = shutil.copytree(iris_export, tmp_path / "iris")
    first = deploy(shell, f"--origin {export}")
    again = deploy(shell, f"--origin {export}")
    assert again == first.replace(lastUseTime=again.lastUseTime, etag=again.etag)
    joblib.dump(joblib.load(export / "model.joblib"), export / "model.joblib", compress=3)
    assert deploy(shell, f"--origin {export}").id == "v2"
    with pytest.raises(AlreadyExists, match=r"model\.joblib has changed"):
        deploy(shell, f"v1 --origin {export}")
    with pytest.raises(Exception, match="default"):
        deploy(shell, f"v1 --origin {export} --replace")  # v1 is the default version: not to be deleted
    assert deploy(shell, f"v2 --origin {export} --machine-type mls1-c4-m2 --replace").machineType == "mls1-c4-m2"


def test_aip_deploy_of_an_xgboost_booster(shell: Any, booster_export: Path) -> None:
    version = deploy(shell, f"--model boosted --origin {booster_export}", f"{TEST}labels: {{team: a}}\n")
    assert (version.framework, version.labels) == ("XGBOOST", {"team": "a"})


def test_aip_deploy_keeps_regional_and_global_apart(shell: Any, iris_export: Path) -> None:
    regional = deploy(shell, f"--model iris --origin {iris_export} --region us-central1")
    assert regional.machineType == "n1-standard-2"
    assert shell.run_line_magic("aip_list", "--region global") == []
    assert [model.id for model in shell.run_line_magic("aip_list", "--region us-central1")] == ["iris"]
    glob = deploy(shell, f"--model iris --origin {iris_export} --regions us-central1")
    assert glob.machineType == "mls1-c1-m2"
    answer = shell.run_cell_magic("aip_predict", "--model iris --region us-central1", f"- {ROW}")
    assert answer == shell.run_cell_magic("aip_predict", "--model iris --region global", f"- {ROW}")


def test_aip_predict_after_the_server_was_killed(shell: Any, iris_export: Path, embedded: Path) -> None:
    deploy(shell, f"--model iris --origin {iris_export}")
    before = local.running(embedded)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    answer = shell.run_cell_magic("aip_predict", "--model iris", f"- {ROW}")
    assert answer == {"predictions": [0]}
    assert shell.run_line_magic("aip_describe", "v1 --model iris").state == "READY"
    after = local.running(embedded)
    assert after is not None
    assert after.pid != before.pid


def test_aip_deploy_of_a_broken_pickle_leaves_a_failed_version(shell: Any, iris_export: Path, tmp_path: Path) -> None:
    export = tmp_path / "broken"
    export.mkdir()
    good = (iris_export / "model.joblib").read_bytes()
    (export / "model.joblib").write_bytes(good[: len(good) * 2 // 3])
    with pytest.raises(OperationFailed, match="Failed to load model") as caught:
        shell.run_line_magic("aip_deploy", f"--origin {export} --trust -o failed")
    assert "FAILED" in "\n".join(caught.value.format_lines())
    assert isinstance(shell.user_ns["failed"], Operation)
    version = shell.run_line_magic("aip_describe", "v1 --model broken")
    assert version.state == "FAILED"
    assert "Failed to load model" in version.errorMessage
    shutil.copy(iris_export / "model.joblib", export / "model.joblib")
    assert deploy(shell, f"--origin {export}").state == "READY"


def test_aip_deploy_dry_run_sends_nothing(shell: Any, iris_export: Path, embedded: Path) -> None:
    plan = shell.run_cell_magic("aip_deploy", f"--model iris --origin {iris_export} --dry-run", TEST)
    assert [request.method for request in plan.requests] == ["POST", "POST", "POST", "POST", "GET", "GET", "POST"]
    assert plan.requests[3].body["framework"] == "SCIKIT_LEARN"
    assert local.running(embedded) is None


def test_aip_deploy_async_returns_the_operation_at_once(shell: Any, iris_export: Path) -> None:
    operation = deploy(shell, f"--model iris --origin {iris_export} --async")
    assert isinstance(operation, Operation)
    assert shell.run_line_magic("aip_attach", operation.name).state == "READY"


def test_aip_deploy_detaches_when_interrupted_while_waiting(
    shell: Any, iris_export: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aip_magics.client import Client

    def interrupted(*_: Any, **__: Any) -> Operation:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Client, "watch", interrupted)
        operation = deploy(shell, f"--model iris --origin {iris_export}")
    assert isinstance(operation, Operation)
    line = f"%aip_attach {operation.name}"
    assert line in capsys.readouterr().out
    assert shell.run_line_magic("aip_attach", operation.name).state == "READY"


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        ("--origin nowhere", ModelDirError, "nowhere"),
        ("--model 9-lives --origin {export}", ChecksFailed, "name"),
        ("--origin {export} --runtime 2.11", OptionError, "--runtime-version"),
        ("--origin {export} --runtime-version 2.11.0", ChecksFailed, "2.11"),
    ],
)
def test_magics_tell_mistakes_in_a_few_lines(
    shell: Any, iris_export: Path, line: str, kind: type[Exception], text: str, embedded: Path
) -> None:
    with pytest.raises(kind) as caught:
        deploy(shell, line.format(export=iris_export))
    shown = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert len(shown) <= 3
    assert text in "\n".join(shown)
    assert local.running(embedded) is None  # found before anything was started or sent


def test_magics_do_not_show_the_token(shell: Any, iris_export: Path, embedded: Path, capsys: Any) -> None:
    deploy(shell, f"--model iris --origin {iris_export}")
    for action in ("status", "env", "logs"):
        shell.run_line_magic("aip_server", action)
    state = local.running(embedded)
    assert state is not None
    output = capsys.readouterr()
    assert state.token not in output.out + output.err
    assert "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE" in output.out

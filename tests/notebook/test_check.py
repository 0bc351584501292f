"""`%aip_check` and what a deploy does with its findings: in a real shell, with real models and a real worker."""

from __future__ import annotations

import json
import os
import pickle
import stat
import sys
from pathlib import Path
from typing import Any

import custom_models
import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from aip_magics.checks import Report
from aip_magics.errors import ChecksFailed, OptionError, SettingsError
from aip_magics.targets import local

ROW = [5.1, 3.5, 1.4, 0.2]
TEST = f"test:\n  instances:\n  - {ROW}\n"


class Evil:
    """Makes a directory when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def evil_export(folder: Path) -> tuple[Path, Path]:
    """A directory with a malicious model, and the directory that loading it would make."""
    trace, export = folder / "trace", folder / "evil"
    export.mkdir()
    joblib.dump({"model": LogisticRegression(), "and": Evil(trace)}, export / "model.joblib", compress=3)
    return export, trace


def check(shell: Any, line: str, body: str | None = None) -> Report:
    made = shell.run_line_magic("aip_check", line) if body is None else shell.run_cell_magic("aip_check", line, body)
    assert isinstance(made, Report)
    return made


def ids(report: Report, severity: str = "error") -> list[str]:
    return [one.id for one in report.findings if one.severity == severity]


def test_aip_check_of_a_good_model_has_no_errors_and_starts_nothing(
    shell: Any, iris_export: Path, embedded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = check(shell, str(iris_export))
    assert report.errors == ()
    assert {"T01", "T08"} <= report.skipped.keys()
    assert "checks passed" in capsys.readouterr().out
    assert local.running(embedded) is None


def test_aip_check_returns_and_shows_findings_without_raising(
    shell: Any, iris_export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = check(shell, f"{iris_export} --model 9-lives --runtime-version 2.10")
    assert {"M02", "S10"} <= set(ids(report))
    shown = capsys.readouterr().out
    assert "errors" in shown
    assert "fix: runtimeVersion: '2.11'" in shown


def test_aip_check_takes_the_line_of_a_deploy_cell(shell: Any, iris_export: Path) -> None:
    report = check(shell, f"9v --model iris --origin {iris_export}", TEST)
    [finding] = report.errors
    assert (finding.id, finding.subject) == ("M02", "version.name")


def test_aip_check_with_instances_tries_the_model(shell: Any, iris_export: Path) -> None:
    report = check(shell, str(iris_export), TEST)
    assert report.errors == ()
    assert {"T01", "T02", "T03", "T04", "T05", "T06", "T08"} <= set(report.passed)
    assert ("T07" in report.passed) == sys.platform.startswith("linux")


@pytest.mark.parametrize(
    ("test", "id", "text"),
    [
        ("test: {instances: [[1.0, 2.0]]}", "T03", "Exception during sklearn prediction"),
        ("test: {instances: [[1.0, 2.0, 3.0, 4.0]], nonsense: 1}", "T03", "nonsense"),
    ],
)
def test_aip_check_tells_what_the_worker_refuses_in_one_finding(
    shell: Any, iris_export: Path, test: str, id: str, text: str
) -> None:
    errors = [one for one in check(shell, str(iris_export), test).errors if one.id.startswith("T")]
    assert [one.id for one in errors] == [id]
    assert text in errors[0].message
    assert errors[0].fix


def test_aip_check_finds_a_model_that_answers_nan(shell: Any, tmp_path: Path) -> None:
    import numpy
    from sklearn.dummy import DummyRegressor

    model = DummyRegressor().fit([[0.0], [1.0]], [0.0, 1.0])
    model.constant_ = numpy.array([[numpy.nan]])
    joblib.dump(model, tmp_path / "model.joblib")
    errors = check(shell, str(tmp_path), "test: {instances: [[1.0]]}").errors
    assert [one.id for one in errors] == ["T04"]
    assert "NaN" in errors[0].message


def test_aip_check_strict_and_skip(shell: Any, iris_export: Path) -> None:
    line = f"{iris_export} --labels A=b"
    assert check(shell, line).errors == ()
    assert "F02" in [one.id for one in check(shell, f"{line} --strict").errors]
    assert check(shell, f"{line} --strict --skip F02").skipped["F02"].reason
    with pytest.raises(ChecksFailed, match="F02"):
        shell.run_line_magic("aip_deploy", f"--origin {iris_export} --labels A=b --strict")
    with pytest.raises(OptionError, match="unknown check 'F2'"):
        check(shell, f"{line} --skip F2")


@pytest.mark.parametrize("body", [TEST, "description: no instances\n"])
def test_aip_check_never_loads_a_malicious_model(shell: Any, tmp_path: Path, body: str) -> None:
    export, trace = evil_export(tmp_path)
    report = check(shell, str(export), body)
    assert "U01" in ids(report)
    with pytest.raises(ChecksFailed, match="mkdir"):
        shell.run_cell_magic("aip_deploy", f"--origin {export}", body)
    with pytest.raises(OptionError, match="U01"):
        shell.run_cell_magic("aip_deploy", f"--origin {export} --skip U01", body)
    assert not trace.exists()


def test_aip_check_does_not_load_a_malicious_model_in_cloud_storage(
    shell: Any, tmp_path: Path, iris_export: Path
) -> None:
    from aip_magics import settings
    from aip_magics.targets import choose

    export, trace = evil_export(tmp_path)
    target = choose(settings.resolve(target="local"))
    target.connect()
    bucket = target.google_storage_client.create_bucket("models")
    bucket.blob("evil/model.joblib").upload_from_filename(export / "model.joblib")
    bucket.blob("iris/model.joblib").upload_from_filename(iris_export / "model.joblib")
    assert "U01" in ids(check(shell, "gs://models/evil", TEST))
    for body in (TEST, "description: no instances\n"):
        with pytest.raises(ChecksFailed, match="mkdir"):
            shell.run_cell_magic("aip_deploy", "--model evil --origin gs://models/evil --framework scikit-learn", body)
    assert not trace.exists()
    report = check(shell, "gs://models/iris --framework scikit-learn", TEST)
    assert "T01" in report.passed
    assert "U01" in report.passed


def test_aip_check_asks_for_trust_once_per_content(shell: Any, tmp_path: Path, home: Path) -> None:
    export, trace = evil_export(tmp_path)
    trusted = check(shell, f"{export} --trust", TEST)
    # The user wanted it: it was loaded, and tried what a worker has no right to.
    [told] = [one.message for one in trusted.findings if one.id == "T01"]
    assert trace.exists() or ("Permission denied" in told and str(trace) in told)
    assert "U01" not in ids(trusted)
    written = home / "trusted.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert list(json.loads(written.read_text())["files"].values()) == [
        {"name": "model.joblib", "size": (export / "model.joblib").stat().st_size}
    ]
    assert "U01" not in ids(check(shell, str(export)))
    joblib.dump(Evil(tmp_path / "other"), export / "model.joblib")
    assert "U01" in ids(check(shell, str(export)))


def test_aip_check_takes_trusted_modules_written_by_hand(shell: Any, tmp_path: Path, home: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x02cour_company.models\nModel\n)R.")
    assert "U01" in ids(check(shell, str(tmp_path)))
    home.mkdir(exist_ok=True)
    (home / "trusted.json").write_text('{"modules": ["our_company"]}')
    assert "U01" not in ids(check(shell, str(tmp_path)))
    (home / "trusted.json").write_text('{"modules": "our_comp')
    with pytest.raises(SettingsError, match=r"trusted\.json"):
        check(shell, str(tmp_path))


def test_aip_check_trusts_a_model_of_this_notebook(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of the user's own module: from a directory it is asked about, as a variable it is not."""
    (tmp_path / "own_estimator.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Own(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_estimator

    model = own_estimator.Own().fit([[0.0], [1.0]], [0, 1])
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.pkl").write_bytes(pickle.dumps(model))
    assert "U01" in ids(check(shell, str(tmp_path / "m")))
    shell.user_ns["own"] = model
    assert "U01" not in ids(check(shell, "$own"))


def test_aip_check_does_not_ask_about_modules_of_the_users_packages(shell: Any, tmp_path: Path) -> None:
    export = custom_models.own_code_pipeline(tmp_path / "m", tmp_path)
    assert "U01" in ids(check(shell, str(export)))
    package = custom_models.sdist(tmp_path / "dist", "own", own_code=custom_models.OWN_CODE % 2)
    report = check(shell, f"{export} --package-uris {package}", "test: {instances: [[2.0]]}")
    assert "U01" in report.passed
    assert "T01" in report.passed
    os_package = custom_models.sdist(tmp_path / "dist", "os_like", os="")
    (export / "model.joblib").write_bytes(pickle.dumps(Evil(tmp_path / "trace")))
    assert "U01" in ids(check(shell, f"{export} --package-uris {os_package}"))


def test_aip_check_fails_without_asking_a_notebook(embedded: Path, tmp_path: Path) -> None:
    """In a real kernel, run by nbclient: the check shows its panel, the deploy ends with what would be run."""
    import nbclient  # here, since its grammar of URIs takes two seconds to compile
    import nbformat

    export, trace = evil_export(tmp_path)
    cells = ["%load_ext aip_magics", f"%aip_check {export}", f"%aip_deploy --origin {export}"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3")
    with pytest.raises(nbclient.exceptions.CellExecutionError) as caught:
        client.execute(env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert caught.value.ename == "ChecksFailed"
    checked, deployed = notebook.cells[1].outputs[0].data, notebook.cells[2].outputs[0].data
    for shown in (checked, deployed):
        assert "mkdir" in shown["text/plain"]
        assert "add --trust" in shown["text/html"]
        assert len(shown["text/html"].encode()) <= 4096
    assert "<details>" in checked["text/html"]
    assert not trace.exists()

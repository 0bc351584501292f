"""`aip-magics check` as a process: its exit code, its JSON, and that it imports nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
HEAVY = ("sklearn", "numpy", "xgboost", "tensorflow", "requests", "starlette", "google.cloud.storage", "IPython")


def aip_check(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "aip_magics", "check", *words],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_check_command_prints_json_and_exit_codes(iris_export: Path) -> None:
    good = aip_check(str(iris_export), "--format", "json")
    told = json.loads(good.stdout)
    assert good.returncode == 0
    assert good.stderr == ""
    assert told["passed"] > 20
    assert all(set(one) == {"id", "name", "severity", "subject", "message", "fix", "link"} for one in told["findings"])
    assert {"id": "R01", "reason": "no test instances were given"} in told["skipped"]
    bad = aip_check(str(iris_export), "--model", "9-lives", "--format", "json")
    assert bad.returncode == 1
    [error] = [one for one in json.loads(bad.stdout)["findings"] if one["severity"] == "error"]
    assert (error["id"], error["subject"], error["fix"]) == ("M02", "model.name", "use m_9_lives")


@pytest.mark.slow
def test_check_command_strict_makes_warnings_fail(iris_export: Path) -> None:
    assert aip_check(str(iris_export), "--labels", "A=b").returncode == 0
    assert aip_check(str(iris_export), "--labels", "A=b", "--strict").returncode == 1


@pytest.mark.slow
def test_check_command_tells_mistakes_of_the_line(iris_export: Path) -> None:
    unknown = aip_check(str(iris_export), "--skip", "M2")
    assert unknown.returncode == 2
    assert "did you mean 'M02'?" in unknown.stderr
    assert aip_check().returncode == 2


@pytest.mark.slow
def test_check_command_reports_a_directory_that_cannot_be_deployed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "saved" / "1").mkdir(parents=True)
    (tmp_path / "saved" / "one").mkdir()
    (tmp_path / "saved" / "one" / "saved_model.pb").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name, text in {
        "nowhere": "no such file or directory",
        "empty": "is empty",
        "saved": "one directory deeper",
        "link": "is a broken link",
    }.items():
        done = aip_check(str(tmp_path / name), "--format", "json")
        [error] = [one for one in json.loads(done.stdout)["findings"] if one["severity"] == "error"]
        assert (done.returncode, done.stderr) == (1, "")
        assert error["id"] == "D31"
        assert text in error["message"]
        assert error["fix"]
        shown = aip_check(str(tmp_path / name))
        assert text in shown.stdout
        assert shown.returncode == 1


@pytest.mark.slow
def test_check_of_a_directory_that_cannot_be_deployed_still_checks_the_fields(tmp_path: Path) -> None:
    done = aip_check(str(tmp_path), "--model", "9-lives", "--format", "json")
    told = json.loads(done.stdout)
    assert {one["id"] for one in told["findings"]} == {"D31", "M02"}
    assert {"id": "A05", "reason": "the model directory cannot be deployed"} in told["skipped"]


@pytest.mark.slow
def test_check_command_text_has_the_fixes(iris_export: Path) -> None:
    shown = aip_check(str(iris_export), "--runtime-version", "2.10").stdout
    assert "fix: runtimeVersion: '2.11'" in shown


@pytest.mark.slow
def test_check_command_imports_nothing_heavy(iris_export: Path) -> None:
    code = (
        "import sys\nfrom aip_magics.__main__ import main\n"
        "main(['check', sys.argv[1], '--quiet'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(iris_export)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")

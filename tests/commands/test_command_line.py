"""The command line as a user runs it: a process, its exit code, its two streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a process for each line

ROOT = str(Path(__file__).parents[2])


def aip(*words: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "aip_magics", *words],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_command_line_runs_a_life_cycle(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    config = tmp_path / "deploy.yaml"
    config.write_text("description: from a file\ntest:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]\n")
    made = aip("deploy", "--model", "iris", "--origin", str(iris_export), "--config", str(config), "--format", "json")
    assert "✔ predict: 1 prediction: [0], identical to the local predictions" in made.stderr
    version = json.loads(made.stdout)
    assert (version["state"], version["description"]) == ("READY", "from a file")

    row = tmp_path / "instances.json"
    row.write_text("[5.1, 3.5, 1.4, 0.2]\n[6.7, 3.0, 5.2, 2.3]\n")
    asked = aip("predict", "--model", "iris", "--json-instances", str(row), "--format", "json")
    here = aip(
        "local-predict",
        "--model-dir",
        str(iris_export),
        "--json-instances",
        "-",
        "--format",
        "json",
        stdin=row.read_text(),
    )
    assert json.loads(asked.stdout) == json.loads(here.stdout) == {"predictions": [0, 2]}
    assert "state: READY" in aip("describe", "v1", "--model", "iris").stdout
    assert json.loads(aip("list", "--format", "json").stdout)[0]["name"] == "projects/aip-local/models/iris"
    aip("delete", "--model", "iris", "--all-versions", "--yes", "--quiet")
    assert json.loads(aip("server", "stop", "--format", "json").stdout)["running"] is False


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["deplyo"], 2, "did you mean 'deploy'"),
        (["deploy", "--origin"], 2, "--origin"),
        (["deploy", "--origin", "nowhere"], 1, "nowhere"),
        (["predict", "--model", "x"], 1, "no instances were given"),
        (["local-predict", "--model-dir", "nowhere", "--text-instances", "-"], 1, "nowhere"),
    ],
)
def test_command_line_tells_mistakes(words: list[str], code: int, text: str) -> None:
    assert text in aip(*words, code=code, stdin="a line\n").stderr


def test_command_line_prints_an_error_as_json() -> None:
    failed = aip("deploy", "--origin", "nowhere", "--format", "json", code=1)
    error = json.loads(failed.stdout)["error"]
    assert error["type"] == "ModelDirError"
    assert error["fix"]


def test_command_line_has_help_and_version() -> None:
    assert "local-predict" in aip("--help").stdout
    assert aip("--version").stdout.strip()


def test_command_line_tells_a_terminal_what_can_be_typed_there() -> None:
    shown = aip("upload", "--help").stdout
    assert "aip-magics upload ./export gs://my-bucket/iris/v1 --dry-run" in shown
    assert "%aip" not in shown
    shown = aip("config").stdout
    assert "gcloud config set project PROJECT_ID" in shown
    assert "%aip" not in shown


def test_command_line_prints_values_without_a_panel_as_a_table(tmp_path: Path) -> None:
    shown = aip("server", "status", "--data-dir", str(tmp_path)).stdout.splitlines()
    assert [line.split() for line in shown[1:]] == [["running", "false"], ["data_dir", str(tmp_path)]]


def test_command_line_runs_the_demo(embedded: Path) -> None:
    shown = aip("demo").stdout
    assert "state: READY" in shown
    assert "identical to the local predictions" in shown

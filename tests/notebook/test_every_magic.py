"""Every magic returns its value, puts it into `-o NAME`, keeps silent with `--quiet`, and gives none after a `;`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aip_magics.commands.registry import get_command
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.errors import OptionError

INSTANCES = "- [5.1, 3.5, 1.4, 0.2]"
# A line for each verb that has a value without changing anything, and the body of its cell.
LINES: dict[str, tuple[str, str]] = {
    "deploy": ("--model iris --origin {iris} --dry-run", f"test:\n  instances:\n  {INSTANCES}"),
    "check": ("{iris}", ""),
    "predict": ("--model iris --dry-run", INSTANCES),
    "trust": ("{iris}", ""),
    "local-predict": ("--model-dir {iris} --show python", INSTANCES),
    "package": ("{own} --output {output}", ""),
    "describe": ("v1 --model iris --dry-run", ""),
    "list": ("--dry-run", ""),
    "delete": ("v1 --model iris --dry-run", ""),
    "create-model": ("iris --dry-run", ""),
    "create-version": ("v1 --model iris --origin gs://my-bucket/iris --dry-run", ""),
    "set-default": ("v1 --model iris --dry-run", ""),
    "undeploy": ("v1 --model iris --target vertex --endpoint local --dry-run", ""),
    "compare": ("v1 v1 --instances {rows}", ""),
    "traffic": ("iris v1=100 --dry-run", ""),
    "promote": ("v1 --model iris --dry-run", ""),
    "rollback": ("--model iris", ""),
    "update": ("v1 --model iris --max-nodes 2 --dry-run", ""),
    "operations": ("--dry-run", ""),
    "wait": ("o --dry-run", ""),
    "cancel": ("o --dry-run", ""),
    "history": ("", ""),
    "config": ("", ""),
    "attach": ("o --dry-run", ""),
    "upload": ("{iris} gs://my-bucket/iris --show curl", ""),
    "pull": ("gs://aip-local-aiplatform/iris/v1 {output} --dry-run", ""),
    "remove": ("gs://aip-local-aiplatform/iris/v1/ --dry-run", ""),
    "logs": ("--model iris", ""),
    "server": ("status", ""),
    "autoload": ("status", ""),
}
NEED_A_VERSION = ("pull", "remove", "logs", "compare", "rollback", "undeploy")


def run(shell: Any, verb: str, line: str, body: str) -> Any:
    if body:
        return shell.run_cell_magic(magic_name(verb), line, body)
    return shell.run_line_magic(magic_name(verb), line)


def test_magics_are_all_tested_here() -> None:
    assert set(VERBS) - set(LINES) == {"form"}  # it needs a kernel: test_form_kernel.py


@pytest.mark.parametrize("verb", LINES)
def test_magics_return_keep_and_silence_their_value(
    shell: Any, verb: str, iris_export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text("X = 1\n")
    template, body = LINES[verb]
    (tmp_path / "rows").write_text("[5.1, 3.5, 1.4, 0.2]\n")
    places = {"own": tmp_path / "own.py", "output": tmp_path / "output", "rows": tmp_path / "rows"}
    line = template.format(iris=iris_export, **places)
    if verb in NEED_A_VERSION:
        where = "--target vertex --endpoint local" if verb == "undeploy" else ""
        shell.run_line_magic("aip_deploy", f"v1 --model iris --origin {iris_export} --quiet {where}")
    if verb == "rollback":
        shell.run_line_magic("aip_deploy", f"v2 --model iris --origin {iris_export} --quiet")
        shell.run_line_magic("aip_promote", "v2 --quiet")
    capsys.readouterr()
    value = run(shell, verb, f"{line} --quiet", body)
    assert value is not None
    assert capsys.readouterr().out == ""
    assert run(shell, verb, f"{line} --quiet -o kept", body) is None
    assert type(shell.user_ns["kept"]) is type(value)
    assert run(shell, verb, f"{line} -o kept_too;", body) is None
    assert type(shell.user_ns["kept_too"]) is type(value)
    capsys.readouterr()
    assert type(run(shell, verb, line, body)) is type(value)
    assert capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_magics_show_their_help_and_return_nothing(shell: Any, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_line_magic(magic_name(verb), "--help") is None
    out = capsys.readouterr().out
    assert f"usage: %{magic_name(verb)}" in out
    assert get_command(verb).example in out


def test_aip_form_says_that_it_needs_a_notebook(shell: Any) -> None:
    with pytest.raises(OptionError, match="a form needs a notebook"):
        shell.run_line_magic("aip_form", "")

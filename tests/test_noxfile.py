"""The tasks of noxfile.py are those that CONTRIBUTING.md and .ci/run name, and what they run exists."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TREE = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
TASK = re.compile(r"nox -s ((?:[a-z][a-z-]*\s?)+)")


def tasks() -> set[str]:
    """The names of the functions with `@nox.session`, or those given to it."""
    found = set()
    for node in TREE.body:
        for decorator in getattr(node, "decorator_list", ()):
            given = {word.arg: ast.literal_eval(word.value) for word in getattr(decorator, "keywords", ())}
            found.add(given.get("name", node.name))  # type: ignore[attr-defined]
    return found


def tasks_named(file: str) -> set[str]:
    text = (ROOT / file).read_text("utf-8")
    return {name for names in TASK.findall(text.replace("`", " ` ")) for name in names.split()} - {"NAME"}


def test_noxfile_has_each_task_that_ci_and_documents_name() -> None:
    assert tasks_named(".ci/run") >= {"lint", "types"}
    for file in (".ci/run", "CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"):
        assert tasks_named(file) <= tasks(), file


def test_noxfile_tasks_are_all_in_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert {task for task in tasks() if not re.search(rf"`{task}(`| )", text)} == set()


def test_noxfile_runs_modules_and_scripts_that_exist() -> None:
    texts = [node.value for node in ast.walk(TREE) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    modules = [text for text in texts if re.fullmatch(r"aip_magics(\.\w+)+", text)]
    scripts = [text for text in texts if re.fullmatch(r"tests/[\w/]+(\.py)?", text)]
    assert len(modules) >= 2
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_issue_forms_ask_for_version_and_configuration() -> None:
    forms = ROOT / ".github" / "ISSUE_TEMPLATE"
    for path in forms.glob("*.yml"):
        assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict), path
    bug = yaml.safe_load((forms / "bug.yml").read_text("utf-8"))
    asked = " ".join(item["attributes"].get("description", "") for item in bug["body"])
    assert "`%aip_config`" in asked
    assert "`aip-magics --version`" in asked


def test_pre_commit_hooks_need_no_other_repository() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [each["repo"] for each in config["repos"]] == ["local"]
    hooks = {hook["id"] for each in config["repos"] for hook in each["hooks"]}
    assert hooks == {"ruff", "ruff-format", "codespell", "end-of-file-fixer", "mypy"}

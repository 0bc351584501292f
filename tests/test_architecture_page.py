"""ARCHITECTURE.md names files and functions that exist: the page cannot drift from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import aip_magics

PACKAGE = Path(aip_magics.__file__).parent
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
STEP = re.compile(r"`([\w/]+\.py): ([\w.]+)`")
PATH = re.compile(r"`([\w/]+/|[\w/]+\.(?:py|toml|json))(?=[`:])")


def sections() -> dict[str, str]:
    """The text of each section by its heading."""
    _, *parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


JOURNEYS = {title: text for title, text in sections().items() if title.startswith("Journey")}
STEPS = sorted({found for text in JOURNEYS.values() for found in STEP.findall(text)})


def defines(tree: ast.AST, dotted: str) -> bool:
    """Whether a module or class has this function, class or method."""
    first, _, rest = dotted.partition(".")
    for node in getattr(tree, "body", ()):
        if getattr(node, "name", None) == first:
            return not rest or defines(node, rest)
    return False


def test_architecture_page_has_both_journeys_as_numbered_steps() -> None:
    assert len(JOURNEYS) == 2
    for title, text in JOURNEYS.items():
        numbers = [int(number) for number in re.findall(r"^(\d+)\. `", text, re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1)), title
        assert len(numbers) >= 5, title
    assert len(re.findall("deploymentUri", "".join(JOURNEYS))) == 1
    assert len(STEPS) >= 10


@pytest.mark.parametrize(("file", "function"), STEPS, ids=[f"{file}:{function}" for file, function in STEPS])
def test_architecture_page_names_functions_that_are_defined_in_their_file(file: str, function: str) -> None:
    path = PACKAGE / file
    assert path.is_file(), f"ARCHITECTURE.md: {file} does not exist"
    assert defines(ast.parse(path.read_text("utf-8")), function), f"ARCHITECTURE.md: {file} does not define {function}"


def test_architecture_page_names_files_that_exist() -> None:
    named = set(PATH.findall(PAGE))
    assert len(named) >= 20
    assert {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()} == set()


def test_architecture_page_draws_and_describes_every_part() -> None:
    drawing = re.findall(r"^```mermaid\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
    table = sections()["Layers"].rpartition("```")[2]
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"i18n"}
    assert {name for name in folders if not re.search(rf"\b{name}\b", drawing)} == set()
    assert {name for name in folders if f"| `{name}` |" not in table} == set()

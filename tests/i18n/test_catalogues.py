"""Every text that the code says is in every catalogue, with the same values in it, and no catalogue has more."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import aip_magics
from aip_magics import i18n
from aip_magics.commands.verbs import VERBS

PACKAGE = Path(aip_magics.__file__).parent
OTHERS = [name for name in i18n.LANGUAGES if name != "en"]


def said() -> dict[str, str]:
    """Every template of the code, and where it is said."""
    found = {verb.help: f"commands/verbs.py {name}" for name, verb in VERBS.items()}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                where = f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"
                first = node.args[0 if node.func.id == "_" else 1]  # a catalogue's key is the plural
                if isinstance(first, ast.Constant):
                    assert isinstance(first.value, str), where
                    found.setdefault(first.value, where)
                else:
                    assert ast.unparse(first) in LOOKED_UP, f"{where}: the template is no literal"
    return found


# Templates that are looked up by what is no literal: the help of a verb, which is in VERBS.
LOOKED_UP = {"VERBS[self.name].help", "verb.help", "VERBS[verb].help"}


def fields(template: str) -> list[tuple[str, str | None]]:
    """The values in a template with their formats, in alphabetical order: languages put words in other places."""
    parsed = string.Formatter().parse(template)
    return sorted((name, f"{conversion}:{spec}") for _, name, spec, conversion in parsed if name is not None)


@pytest.mark.parametrize("other", OTHERS)
def test_catalogues_miss_no_text(other):
    catalogue = i18n.catalogue(other)
    missing = [f"{where}: {template!r}" for template, where in said().items() if template not in catalogue]
    assert not missing, f"{len(missing)} texts are not in {other}/*.toml:\n" + "\n".join(missing)


@pytest.mark.parametrize("other", OTHERS)
def test_catalogues_have_no_text_that_the_code_has_not(other):
    assert sorted(set(i18n.catalogue(other)) - set(said())) == []


@pytest.mark.parametrize("other", OTHERS)
def test_catalogues_keep_the_values_of_every_template(other):
    wrong = {
        template: translated
        for template, translated in i18n.catalogue(other).items()
        if ("{" in template or "{" in translated) and set(fields(template)) != set(fields(translated))
    }
    assert wrong == {}


@pytest.mark.parametrize("other", OTHERS)
def test_catalogues_have_each_text_in_one_file_only(other):
    seen: dict[str, str] = {}
    for path in sorted((PACKAGE / "i18n" / other).glob("*.toml")):
        for line in path.read_text("utf-8").splitlines():
            key = line.partition('" = "')[0]
            if key.startswith('"'):
                assert key not in seen, f"{key} is in {seen[key]} and in {path.name}"
                seen[key] = path.name

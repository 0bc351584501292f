"""The page of the magics is made from their parsers, and lacks no verb, option, panel or error."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import aip_magics.__main__
from aip_magics import errors, i18n
from aip_magics.commands import reference
from aip_magics.commands.registry import get_command
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.errors import AipError
from aip_magics.notebook.magics import magic_parser
from aip_magics.render import panels

PAGE = reference.page()
OF_ALL = reference.HEAD  # what every magic takes


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def reached(verb: str) -> str:
    """The section of a magic with those of the options it links to."""
    own = section(f"%{magic_name(verb)}")
    linked = re.findall(r"\[(.*?)\]\(#(options-[\w-]+)\)", own)
    for title, anchor in linked:
        assert anchor == f"options-{title.replace(' ', '-')}"
        assert section(f"Options: {title}"), f"{verb} links to {title}, which is not there"
    return "\n".join([own, *(section(f"Options: {title}") for title, _ in linked)])


def test_reference_is_up_to_date() -> None:
    assert reference.PAGE.read_text("utf-8") == PAGE, "run: python -m aip_magics.commands.reference"


def test_reference_is_the_same_in_every_language() -> None:
    try:
        i18n.use("ko")
        assert reference.page() == PAGE
        assert i18n.current_language() == "ko"
    finally:
        i18n.use("en")


@pytest.mark.parametrize("verb", VERBS)
def test_reference_has_every_option_of_every_verb(verb: str) -> None:
    text = reached(verb)
    actions = magic_parser(get_command(verb))._actions
    assert len(actions) > 2
    for action in actions:
        for flag in action.option_strings if action.help != argparse.SUPPRESS else ():
            assert re.search(rf"`{re.escape(flag)}[ `]", text + OF_ALL), f"{verb} lacks {flag}"
        if not action.option_strings:
            assert re.search(rf"^- `{re.escape(str(action.metavar or '|'.join(action.choices or ())))}`", text, re.M)
    assert get_command(verb).help in text
    assert (f"`%%{magic_name(verb)}`" in text) == (VERBS[verb].body != "none")


def test_reference_has_what_the_command_line_adds(capsys: pytest.CaptureFixture[str]) -> None:
    aip_magics.__main__.main(["list", "--help"])
    typed = set(re.findall(r"^  (--?[\w-]+)", capsys.readouterr().out, re.M))
    assert "--format" in typed
    assert [flag for flag in typed if f"`{flag}" not in reached("list") + OF_ALL] == []


def test_reference_has_no_option_that_does_not_exist() -> None:
    actions = [action for verb in VERBS for action in magic_parser(get_command(verb))._actions]
    known = {flag for action in actions for flag in action.option_strings}
    told = set(re.findall(r"^- `(--[\w-]+)", PAGE, re.M))
    assert told - known == {"--format"}  # of the command line


def test_reference_has_every_panel() -> None:
    files = {path.stem for path in Path(panels.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(re.findall(r"^- \*\*(\w+)\*\*: \S", section("Panels"), re.M)) == files


def test_reference_has_every_error() -> None:
    def below(kind: type[AipError]) -> set[type[AipError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    names = {kind.__name__ for kind in below(AipError) if kind.__module__ == errors.__name__}
    text = section("Errors")
    assert set(re.findall(r"^- \*\*(\w+)\*\*: \S", text, re.M)) == names
    tree = text.partition("```")[2].partition("```")[0]
    assert [name for name in names if not re.search(rf"\b{name}\b", tree)] == []

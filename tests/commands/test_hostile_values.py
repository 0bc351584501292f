"""Cells and variables made to hurt: an error within a second, or no harm."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aip_magics.commands.common.cell_body import read_yaml, substitute
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.instances import request
from aip_magics.commands.common.magic_line import split_line
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import AipError, CellError

SECRET = "hunter2-the-secret"
LEVELS = 9
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, LEVELS)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: v}}\n" for n in range(1, 12)
)
BOMBS = {
    "laughs": (LAUGHS, "aliases expand to more than 1,000,000 values"),
    "a circle": ("a: &a [*a]", "aliases expand to more than 1,000,000 values"),
    "lists": ("[" * 100_000, "nested too deeply"),
    "closed lists": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "mappings": ("{a: " * 100_000, "nested too deeply"),
    "dashes": ("- " * 100_000, "nested too deeply"),
    "a scalar": ("x" * (5 << 20), "more than 2 MiB"),
    "digits": ("9" * 1_000_000, "more than 1,000 digits"),
    "an object": (
        "!!python/object/apply:os.system ['touch x']",
        "tag !!python/object/apply:os.system cannot be used here",
    ),
    "a name": ("!!python/name:os.system", "tag !!python/name:os.system cannot be used here"),
    "no number": ("!!int x", "tag !!int cannot be used here"),
    "a lone key": ("? [a]", "expected a string as the key"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.slow
def test_cell_body_refuses_a_bomb_within_a_second(name):
    text, told = BOMBS[name]
    start = time.process_time()
    with pytest.raises(CellError, match=told):
        read_yaml(text)
    assert time.process_time() - start < 3  # measured: below 1 s


def test_cell_body_merges_take_no_time():
    start = time.process_time()
    try:
        assert len(read_yaml(MERGES)["a11"]) == 12  # PyYAML leaves out what it has merged already
    except CellError as error:
        assert "`<<` expands to more than 100,000 members" in str(error)  # noqa: PT017 - of older ones
    assert time.process_time() - start < 3


def test_cell_body_reads_aliases_and_merges_that_people_write():
    assert read_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2.10}") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2.1},
    }


@pytest.mark.parametrize("verb", ["deploy", "create-version", "update"])
def test_config_file_that_is_a_bomb_is_refused(tmp_path, verb, embedded):
    (tmp_path / "bomb.yaml").write_text(LAUGHS)
    command = get_command(verb)
    args = build_parser(command, verb).parse(["v1", "--model", "m", "--config", str(tmp_path / "bomb.yaml")])
    with pytest.raises(AipError, match="aliases expand"):
        command.run(args, None, Context(Silent()))


class Silent:
    def emit(self, event: object) -> None: ...

    def show(self, value: object) -> None: ...


def _raise(*_: Any) -> Any:
    raise RuntimeError(SECRET)


class Unprintable(Exception):
    __str__ = __repr__ = _raise


def hostile(**members: Any) -> Any:
    return type("Hostile", (), members)()


VALUES: dict[str, Any] = {
    "repr": hostile(__repr__=_raise, __str__=_raise),
    "eq": hostile(__eq__=_raise, __hash__=_raise),
    "len": hostile(__len__=_raise, __bool__=_raise),
    "class": hostile(__class__=property(_raise)),
    "array": hostile(__array__=_raise, tolist=_raise),
    "getattr": hostile(__getattr__=_raise),
    "to_dict": hostile(to_dict=_raise, keys=_raise, items=_raise),
    "iter": hostile(__iter__=_raise),
    "columns": hostile(columns=1, values=property(_raise)),
    "path": hostile(__fspath__=_raise, __str__=_raise),
    "unprintable": hostile(tolist=lambda self: (_ for _ in ()).throw(Unprintable())),
    "secret": hostile(__repr__=lambda self: SECRET, __str__=lambda self: SECRET),
}


@pytest.mark.parametrize("name", VALUES)
def test_cell_body_refuses_a_hostile_variable_and_tells_no_secret(name):
    command = get_command("predict")
    args = build_parser(command, "predict").parse(["--model", "m"])
    for body in ("$value", "instances: $value", "- $value"):
        with pytest.raises(AipError) as caught:
            request(args, body, Context(Silent(), {"value": VALUES[name]}))
        assert SECRET not in "\n".join(caught.value.format_lines())


@pytest.mark.parametrize("flag", ["--description", "--labels", "--origin"])
@pytest.mark.parametrize("name", VALUES)
def test_magic_line_refuses_a_hostile_variable_or_keeps_it_by_its_name(name, flag):
    try:
        found = split_line(f"{flag} $value", {"value": VALUES[name]})
    except AipError as error:
        assert SECRET not in "\n".join(error.format_lines())  # noqa: PT017 - a value may be kept by its name instead
    else:
        assert flag == "--origin"
        assert SECRET not in " ".join(found)


def test_cell_body_leaves_an_innocent_variable_as_it_is():
    assert substitute({"a": "$value"}, {"value": {"b": 1}}) == {"a": {"b": 1}}

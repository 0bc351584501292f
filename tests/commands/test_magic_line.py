"""`$name` in a magic's line: the value of the variable, with its type; what has no text stays an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.commands.common.magic_line import referenced_name, split_line
from aip_magics.errors import AipError, CellError, OptionError

NAMES: dict[str, Any] = {
    "text": "with a blank",
    "path": Path("models") / "iris",
    "count": 3,
    "counted": numpy.int64(3),
    "labels": {"team": "iris", "level": 2},
    "regions": ["us-central1", "europe-west1"],
    "packages": (Path("a.tar.gz"), "b.tar.gz"),
    "comma": ["a,b"],
    "nested": [["a"]],
    "nothing": [],
    "model": object(),
    "array": numpy.zeros((2, 2)),
}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("--description $text", ["--description", "with a blank"]),
        ("--description=$text -q", ["--description=with a blank", "-q"]),
        ("--origin $path", ["--origin", str(Path("models", "iris"))]),
        ("--min-nodes $count", ["--min-nodes", "3"]),
        ("--min-nodes=$counted", ["--min-nodes=3"]),
        ("--labels $labels", ["--labels", "team=iris,level=2"]),
        ("--regions $regions", ["--regions", "us-central1,europe-west1"]),
        ("--package-uris=$packages", ["--package-uris=a.tar.gz,b.tar.gz"]),
        ("--description $$text", ["--description", "$text"]),
        ("--description $$$text", ["--description", "$$text"]),
        ("--description 'costs $5' $9 a$text", ["--description", "costs $5", "$9", "a$text"]),
        ("v1 --description {text}", ["v1", "--description", "{text}"]),
    ],
)
def test_magic_line_puts_a_value_as_it_would_be_typed(line: str, found: list[str]) -> None:
    assert split_line(line, NAMES) == found


@pytest.mark.parametrize("line", ["--origin $model", "--model-dir=$model", "--package-uris $model", "$model"])
def test_magic_line_keeps_an_object_where_one_is_accepted(line: str) -> None:
    assert referenced_name(split_line(line, NAMES)[-1].rpartition("=")[2]) == "model"


def test_magic_line_takes_escaped_signs_as_text_always() -> None:
    assert split_line("--origin $$model", NAMES) == ["--origin", "$model"]
    assert referenced_name("$model") is None


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        (
            "--description $txet",
            CellError,
            "variable 'txet' is not defined\n  where: --description\n  fix:   did you mean",
        ),
        ("--model=$model", OptionError, r"\$model: a object cannot be used here\n  where: --model"),
        ("--labels $array", OptionError, r"\$array: a numpy.ndarray"),
        ("--regions $comma", OptionError, r"\$comma: a list"),
        ("--regions $nested", OptionError, r"\$nested: a list"),
        ("--regions $nothing", OptionError, r"\$nothing: a list"),
        ("--model 'iris", OptionError, "could not parse the line: No closing quotation"),
    ],
)
def test_magic_line_refuses_values_that_cannot_stand_there(line: str, kind: type[AipError], text: str) -> None:
    with pytest.raises(kind, match=text):
        split_line(line, NAMES)


@given(st.text())
def test_magic_line_splits_any_line_or_raises_our_error(line: str) -> None:
    try:
        found = split_line(line, NAMES)
    except AipError:
        return
    assert all(isinstance(word, str) for word in found)

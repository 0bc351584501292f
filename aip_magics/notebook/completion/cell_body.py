"""Tab completion in the body of a cell: fields of the API, their values, and variables."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aip_magics.commands.verbs import VERBS
from aip_magics.notebook.completion import values
from aip_magics.notebook.completion.values import NOTHING, CompletionContext, ValueHint
from aip_magics.spec import Model, Resource, Version, field_types

_FIELD = re.compile(r"(\s*)(?:- )?(\w*)$")  # an incomplete field
_VALUE = re.compile(r"\s*(?:- )?(\w+):[ \t]+(\S*)$")
_ITEM = re.compile(r"(\s*)- (\S*)$")
_PARENT = re.compile(r"(\s*)(?:- )?(\w+):\s*$")
_WRITTEN = re.compile(r"(\s*)(\w+):")
_TEST, _MODEL = "test", "model"
_DEPLOYING = ("deploy", "check", "form")  # the verbs with `test` and `model` in addition to the fields of a Version


def complete_body(
    verb: str, lines: Sequence[str], number: int, before: str, names: Mapping[str, Any], given: Mapping[str, str]
) -> ValueHint:
    """Complete at the end of `before`, the beginning of line `number` (from 0) of the body.

    `given` are the arguments of the magic's line by destination.
    """
    context = CompletionContext(names, given)
    if VERBS[verb].body == "instances":
        word = re.split(r"[\s\[,]", before)[-1]
        return ValueHint(word, values.variables(word, "instances", context)) if word.startswith("$") else NOTHING
    parents = _parents(lines[:number], before)
    if found := _VALUE.match(before):
        return _value(_type_of(verb, [*parents, found[1]]), found[1], found[2], context)
    if parents and (found := _ITEM.match(before)) and found[2].startswith(("$", ".", "/", "~", "gs:")):
        return ValueHint(found[2], values.hints_for(parents[-1], found[2], context))
    if found := _FIELD.match(before):
        used = set(_siblings(lines, number, len(found[1])))
        used |= _unusable(verb, parents, context)
        fields = [name for name in _fields(verb, parents) if name.startswith(found[2]) and name not in used]
        return ValueHint(found[2], [f"{name}: " for name in fields])
    return NOTHING


def _value(hint: Any, field: str, written: str, context: CompletionContext) -> ValueHint:
    if not written.startswith("$") and (choices := _choices(hint)):
        return ValueHint(written, [choice for choice in choices if choice.startswith(written)])
    return ValueHint(written, values.hints_for(field, written, context))


def _choices(hint: Any) -> list[str]:
    if hint is bool:
        return ["true", "false"]
    if typing.get_origin(hint) is typing.Literal:
        return [choice for choice in typing.get_args(hint) if not choice.endswith("_UNSPECIFIED")]
    return []


def _fields(verb: str, parents: Sequence[str]) -> list[str]:
    """The valid fields below these parents."""
    deploying = verb in _DEPLOYING
    if parents == [_TEST] and deploying:
        return ["instances"]
    hint = _type_of(verb, parents)
    if not (isinstance(hint, type) and issubclass(hint, Resource)):
        return []
    resource: Any = hint
    excluded = set[str]()
    if not parents:
        excluded = {*resource.OUTPUT_ONLY, "name", "etag"}
    elif deploying and parents == [_MODEL]:
        excluded = {*Model.OUTPUT_ONLY, "regions", "etag"}  # the region is an option of the line
    fields = [name for name in field_types(resource) if name not in excluded]
    return [*fields, _MODEL, _TEST] if deploying and not parents else fields


def _unusable(verb: str, parents: Sequence[str], context: CompletionContext) -> set[str]:
    """The fields below these parents that the target of the line cannot use."""
    of_model = verb == "create-model" or (verb in _DEPLOYING and list(parents) == [_MODEL])
    target = context.target() if of_model or not parents else None
    names = target.unusable_fields() if target else ()
    if of_model:
        return {name.removeprefix(f"{_MODEL}.") for name in names if name.startswith(f"{_MODEL}.")}
    return {name for name in names if "." not in name}


def _type_of(verb: str, parents: Sequence[str]) -> Any:
    """The type of the field at this path of names; None for an unknown field."""
    hint: Any = Model if verb == "create-model" else Version
    if verb in _DEPLOYING and parents[:1] == [_MODEL]:
        hint, parents = Model, parents[1:]
    for name in parents:
        if not (isinstance(hint, type) and issubclass(hint, Resource)):
            return None
        resource: Any = hint
        hint = field_types(resource).get(name)
        if typing.get_origin(hint) is tuple:
            hint = typing.get_args(hint)[0]
    return hint


def _parents(lines: Sequence[str], before: str) -> list[str]:
    """The fields that enclose the line, the outermost first: the less indented lines above."""
    found: list[str] = []
    depth = _indentation(before)
    for line in reversed(lines):
        parent = _PARENT.match(line)
        # A list may have the same indentation as its field.
        item = not found and before.lstrip().startswith("-") and _indentation(line) == depth
        if parent and (len(parent[1]) < depth or item):
            found.insert(0, parent[2])
            depth = len(parent[1])
        elif line.strip():
            depth = min(depth, _indentation(line))
    return found


def _siblings(lines: Sequence[str], number: int, depth: int) -> Iterator[str]:
    """The fields that the block already has."""
    for others in (reversed(lines[:number]), lines[number + 1 :]):
        for line in others:
            if line.strip() and _indentation(line) < depth:
                break
            if (found := _WRITTEN.match(line)) and len(found[1]) == depth:
                yield found[2]


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())

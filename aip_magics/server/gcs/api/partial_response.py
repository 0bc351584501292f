"""Partial responses: `fields=items(name,size),nextPageToken`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aip_magics.server.gcs.gcs_errors import invalid

_TOKEN = re.compile(r"[(),/]|[^(),/\s]+")

Tree = dict[str, Any]  # name → Tree of what is wanted below; empty = all of it


def select(value: Mapping[str, Any], fields: str) -> dict[str, Any]:
    """The part of `value` that `fields` names. InvalidArgument (400) when the text is malformed."""
    tokens = _TOKEN.findall(fields)
    tree, rest = _list(tokens, 0, fields)
    if rest != len(tokens):
        raise _bad(fields)
    chosen: dict[str, Any] = _cut(value, tree)
    return chosen


def _list(tokens: list[str], at: int, fields: str, depth: int = 0) -> tuple[Tree, int]:
    if depth > 20:
        raise _bad(fields)
    tree: Tree = {}
    while True:
        branch, path = tree, []
        while True:
            if at >= len(tokens) or tokens[at] in "(),/":
                raise _bad(fields)
            path.append(tokens[at])
            at += 1
            if at < len(tokens) and tokens[at] == "/":
                at += 1
            else:
                break
        below: Tree = {}
        if at < len(tokens) and tokens[at] == "(":
            below, at = _list(tokens, at + 1, fields, depth + 1)
            if at >= len(tokens) or tokens[at] != ")":
                raise _bad(fields)
            at += 1
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch.setdefault(path[-1], {}).update(below)
        if at >= len(tokens) or tokens[at] != ",":
            return tree, at
        at += 1


def _cut(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_cut(item, tree) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "*" in tree:
        return {name: _cut(item, tree.get(name) or tree["*"]) for name, item in value.items()}
    return {name: _cut(item, tree[name]) for name, item in value.items() if name in tree}


def _bad(fields: str) -> Exception:
    return invalid(f"Invalid field selection {fields[:200]}", "invalidParameter")

"""`filter` of the list methods: `state=READY`, `labels.team:nlp AND -description:old`.

The API leaves its syntax open; this is the part of Google's list filters (AIP-160) that needs no guessing: terms joined
by AND, each a field of the resource, `=`, `!=` or `:` (has), and a value in which `*` stands for anything. `name` also
matches by its last part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.conventions.request_parsing import camel

Filter = Callable[[Mapping[str, Any]], bool]

_TERM = re.compile(
    r"""\s*(?P<not>-|NOT\s+)?(?P<path>[A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*(?P<operator>!=|=|:)\s*"""
    r"""(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"'()<>=:]+))(?:\s+AND(?=\s)|(?=\s)|$)"""
)
_CHARS, _TERMS = 1000, 20


def parse(text: str) -> Filter:
    """What decides whether a resource's JSON is listed. InvalidArgument for what is beyond the syntax above."""
    terms: list[Filter] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TERM.match(text, at) if len(text) <= _CHARS and len(terms) < _TERMS else None
        if match is None:
            help_ = "Terms like state=READY or labels.team:nlp, joined by AND, are supported."
            raise violation(InvalidArgument, "filter", f"Invalid filter at {text[at : at + 40]!r}. {help_}")
        terms.append(_term(match))
        at = match.end()
    return lambda resource: all(term(resource) for term in terms)


def _term(match: re.Match[str]) -> Filter:
    first, *rest = match["path"].split(".")
    path = [camel(first), *(rest if first == "labels" else map(camel, rest))]
    has, wanted = match["operator"] == ":", match["quoted"] if match["plain"] is None else match["plain"]
    inverted = bool(match["not"]) != (match["operator"] == "!=")
    parts = wanted.casefold().split("*") if has else wanted.split("*")
    if has:
        parts = ["", *parts, ""]  # `:` looks anywhere in the value, and for any case

    def matches(resource: Mapping[str, Any]) -> bool:
        texts = _texts(resource, path)
        if path[-1] == "name" and "/" not in wanted:  # the id is meant: `name:a` would match every projects/…
            texts = [text.rpartition("/")[2] for text in texts]
        return any(_glob(parts, text.casefold() if has else text) for text in texts) != inverted

    return matches


def _glob(parts: list[str], text: str) -> bool:
    """Whether the text is these parts with anything between them. Linear, as a regular expression would not be."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _texts(resource: Mapping[str, Any], path: list[str]) -> list[str]:
    """The value at this path as text; a list or an object is each of its values and keys."""
    value: Any = resource
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return []
    if isinstance(value, (list, Mapping)):
        return [str(item) for item in value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]

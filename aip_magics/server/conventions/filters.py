"""`filter` of the list methods: `state=READY`, `labels.team:nlp AND -description:old`.

The API does not define the syntax. The server supports the unambiguous part of Google's list filters (AIP-160): terms
joined by AND, each with a field of the resource, `=`, `!=` or `:` (has), and a value in which `*` matches any text.
`name` also matches by its last segment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.conventions.request_parsing import to_camel_case

Filter = Callable[[Mapping[str, Any]], bool]

_TERM = re.compile(
    r"""\s*(?P<not>-|NOT\s+)?(?P<path>[A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*(?P<operator>!=|=|:)\s*"""
    r"""(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"'()<>=:]+))(?:\s+AND(?=\s)|(?=\s)|$)"""
)
_MAX_CHARS, _MAX_TERMS = 1000, 20


def parse(text: str) -> Filter:
    """Return a predicate on a resource's JSON; InvalidArgument for unsupported syntax."""
    terms: list[Filter] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TERM.match(text, at) if len(text) <= _MAX_CHARS and len(terms) < _MAX_TERMS else None
        if match is None:
            hint = "Use terms like state=READY or labels.team:nlp, joined by AND."
            raise violation(InvalidArgument, "filter", f"Invalid filter at {text[at : at + 40]!r}. {hint}")
        terms.append(_term(match))
        at = match.end()
    return lambda resource: all(term(resource) for term in terms)


def _term(match: re.Match[str]) -> Filter:
    first, *rest = match["path"].split(".")
    path = [to_camel_case(first), *(rest if first == "labels" else map(to_camel_case, rest))]
    has, expected = match["operator"] == ":", match["quoted"] if match["plain"] is None else match["plain"]
    inverted = bool(match["not"]) != (match["operator"] == "!=")
    parts = expected.casefold().split("*") if has else expected.split("*")
    if has:
        parts = ["", *parts, ""]  # `:` matches anywhere in the value, ignoring case

    def matches(resource: Mapping[str, Any]) -> bool:
        value = _value(resource, path)
        if has and isinstance(value, Mapping):  # whether it has the key
            return any(_glob(expected.split("*"), str(key)) for key in value) != inverted
        texts = _texts(value)
        if path[-1] == "name" and "/" not in expected:  # match the id: `name:a` would match every projects/…
            texts = [text.rpartition("/")[2] for text in texts]
        return any(_glob(parts, text.casefold() if has else text) for text in texts) != inverted

    return matches


def _glob(parts: list[str], text: str) -> bool:
    """Return whether the text is these parts with any text between them. Linear, unlike a regular expression."""
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


def _value(resource: Mapping[str, Any], path: list[str]) -> Any:
    """Return the value at the path, or None."""
    value: Any = resource
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _texts(value: Any) -> list[str]:
    """Return the value as text; a list or object gives each of its items or keys."""
    if value is None:
        return []
    if isinstance(value, (list, Mapping)):
        return [str(item) for item in value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]

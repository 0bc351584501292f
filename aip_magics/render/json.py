"""Convert events and values to JSON, for `--format json` and logs."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import os
from collections.abc import Mapping, Sequence, Set
from typing import Any

from aip_magics.errors import AipError
from aip_magics.events import Event
from aip_magics.printable import escaped

SHORT_LINE = 72


def event_json(event: Event) -> dict[str, Any]:
    """Convert an event to a JSON object: `event` is its kind (`stepStarted`, `progress` …), the rest its fields."""
    kind = type(event).__name__
    fields = {field.name: to_json(getattr(event, field.name)) for field in dataclasses.fields(event)}
    return {"event": kind[0].lower() + kind[1:], **fields}


def to_json(value: Any) -> Any:
    """Convert a value to data for `json.dumps`.

    Resources and errors have a conversion of their own; dataclasses become objects of their fields, arrays lists.
    Not-a-number and infinities become the strings of protocol buffers. A value without a JSON form becomes the name of
    its type.
    """
    if value is None or isinstance(value, (bool, str)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, AipError):
        return _error(value)
    for expected, convert in _CONVERTERS:
        if isinstance(value, expected):
            return convert(value)
    return _by_method(value)


of = to_json


def dumps(data: Any, indent: int | None = None) -> str:
    """Serialize JSON data; control characters and invisible characters are escaped for terminals."""
    return escaped(json.dumps(data, ensure_ascii=False, indent=indent))


def pretty(value: Any, indent: str = "") -> str:
    """Serialize a value as readable JSON: short objects and lists on one line, others with a line per member."""
    return _pretty(to_json(value), indent)


def _pretty(data: Any, indent: str) -> str:
    short = dumps(data)
    if not isinstance(data, (dict, list)) or not data or len(indent) + len(short) <= SHORT_LINE:
        return short
    deeper = indent + "  "
    if isinstance(data, dict):
        members = [f"{dumps(key)}: {_pretty(item, deeper)}" for key, item in data.items()]
    else:
        members = [_pretty(item, deeper) for item in data]
    opening, closing = "{}" if isinstance(data, dict) else "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(members) + f"\n{indent}{closing}"


def _error(error: AipError) -> dict[str, Any]:
    extra = {
        name: to_json(found)
        for name in ("findings", "operation", "kind", "log")
        if (found := getattr(error, name, None))
    }
    return {**to_json(error.to_json()), **extra}


def _number(value: float) -> Any:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): to_json(item) for key, item in value.items()}


def _by_method(value: Any) -> Any:
    for method in ("to_json", "tolist"):  # our resources; arrays and scalars of NumPy
        if callable(write := getattr(value, method, None)) and not isinstance(value, type):
            return to_json(write())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (Sequence, Set)):
        return [to_json(item) for item in value]
    return f"<{type(value).__name__}>"


_CONVERTERS: tuple[tuple[Any, Any], ...] = (
    (enum.Enum, lambda value: to_json(value.value)),
    (int, int),
    (float, lambda value: _number(float(value))),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (os.PathLike, lambda value: str(os.fspath(value))),
    (Mapping, _object),
)

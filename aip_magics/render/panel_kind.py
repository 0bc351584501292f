"""The kind of panel that a value is shown in, for all renderers.

A value class that this package must not import at start (findings, plans) names its kind in a class attribute
`panel_kind`; the API's resources, errors and runs are known by their type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from aip_magics.errors import AipError
from aip_magics.render.run_state import RunState
from aip_magics.spec import Model, Operation, Version

PanelKind = Literal[
    "version", "model", "operation", "versions", "models", "operations", "empty", "predictions", "error", "run",
    "report", "finding", "findings", "plan", "object", "objects", "upload",
    "served", "comparison", "history", "configuration", "package", "container", "probe", "of main",
    "pull", "removal plan", "removal", "statistics", "disk", "fields", "prediction comparison", "traffic", "other",
]  # fmt: skip

_BY_TYPE: tuple[tuple[type[Any], PanelKind], ...] = (
    (Version, "version"),
    (Model, "model"),
    (Operation, "operation"),
    (AipError, "error"),
    (RunState, "run"),
)
_PLURALS: dict[PanelKind, PanelKind] = {
    "version": "versions",
    "model": "models",
    "operation": "operations",
    "finding": "findings",
    "object": "objects",
}


def get_panel_kind(value: Any) -> PanelKind:
    """The kind of panel for the value; `other` for a value without a panel of its own."""
    if isinstance(value, Mapping):
        if _is_list(value.get("predictions")):
            return "predictions"
        return "statistics" if {"requests", "latencyMs", "nodes"} <= value.keys() else "other"
    if _is_list(value):
        return _kind_of_list(value)
    # Asked of the class: an object of a user may do anything when an attribute is read.
    named: Any = getattr(type(value), "panel_kind", None)
    if named in get_args(PanelKind):
        return named  # type: ignore[no-any-return]
    known = next((kind for expected, kind in _BY_TYPE if isinstance(value, expected)), None)
    return known or ("fields" if dataclasses.is_dataclass(value) else "other")


def _kind_of_list(values: Sequence[Any]) -> PanelKind:
    if not values:
        return "empty"
    plural = _PLURALS.get(get_panel_kind(values[0]), "other")
    one_of_each_type = {type(value): value for value in values}.values()
    return plural if all(_PLURALS.get(get_panel_kind(value)) == plural for value in one_of_each_type) else "other"


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))

"""Lists of models, versions and operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aip_magics.render import words
from aip_magics.render.blocks import Inline, Mark, Panel, Row, Table, row
from aip_magics.render.panels.describe import operation_state, version_state
from aip_magics.spec import Model, Operation, Version

Resources = Sequence[Version] | Sequence[Model] | Sequence[Operation]


def listing(values: Resources, *, now: float | None = None, most: int | None = None) -> Panel:
    """The panel of a list; with `now` (seconds since the epoch) it tells ages instead of times."""
    kind = type(values[0])
    heads, cells = _COLUMNS[kind]
    rows = tuple(_row(cells(value, now)) for value in values[:most])
    table = Table("", (*heads, "Created" if now is None else "Age"), rows, total=len(values))
    return Panel(f"{kind.__name__.lower()}s", "idle", (table,))


def _row(cells: tuple[Inline, ...]) -> Row:
    return row(*cells)


def _version(version: Version, now: float | None) -> tuple[Inline, ...]:
    return (
        version.id,
        Mark("good", "default") if version.isDefault else "",
        version_state(version),
        (version.framework or "").removesuffix("_UNSPECIFIED"),
        version.runtimeVersion or "",
        version.pythonVersion or "",
        version.machineType or "",
        version.deploymentUri or "",
        _when(version.createTime, now),
    )


def _model(model: Model, now: float | None) -> tuple[Inline, ...]:
    version = model.defaultVersion
    return (
        model.id,
        version.id if version else "",
        version_state(version) if version and version.state else "",
        (version.framework or "") if version else "",
        (version.machineType or "") if version else "",
        ", ".join(model.regions or ()),
        _when(version.createTime if version else None, now),
    )


def _operation(operation: Operation, now: float | None) -> tuple[Inline, ...]:
    metadata = operation.metadata
    version = metadata.version.id if metadata and metadata.version else ""
    return (
        operation.id,
        (metadata.operationType or "") if metadata else "",
        operation_state(operation),
        (metadata.modelName or "").rsplit("/", 1)[-1] if metadata else "",
        version,
        (operation.error.message or "") if operation.error else "",
        _when(metadata.createTime if metadata else None, now),
    )


def _when(time: str | None, now: float | None) -> str:
    return (time or "") if now is None else words.age(time, now)


_COLUMNS: dict[type[Any], tuple[tuple[str, ...], Callable[[Any, float | None], tuple[Inline, ...]]]] = {
    Version: (
        ("Name", "Default", "State", "Framework", "Runtime", "Python", "Machine type", "Deployment URI"),
        _version,
    ),
    Model: (("Name", "Default version", "State", "Framework", "Machine type", "Region"), _model),
    Operation: (("Name", "Type", "State", "Model", "Version", "Error"), _operation),
}

"""Panels of lists of models, versions and operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aip_magics.client.vertex.version import VertexVersion
from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render.blocks import Inline, Mark, Panel, Row, Table, row
from aip_magics.render.panels.describe import operation_state, version_state
from aip_magics.spec import Model, Operation, Version

Resources = Sequence[Version] | Sequence[Model] | Sequence[Operation]


def listing(values: Resources, *, now: float | None = None, max_rows: int | None = None) -> Panel:
    """Build the panel of a list; with `now` (seconds since the epoch) ages replace creation times."""
    kind = next(kind for kind in type(values[0]).__mro__ if kind in _COLUMNS)
    label, heads, cells = _COLUMNS[kind]
    rows = tuple(_row(cells(value, now)) for value in values[:max_rows])
    table = Table("", (*heads(), _("Created") if now is None else _("Age")), rows, total=len(values))
    return Panel(label(), "idle", (table,))


def _row(cells: tuple[Inline, ...]) -> Row:
    return row(*cells)


def _version(version: Version, now: float | None) -> tuple[Inline, ...]:
    return (
        version.id,
        Mark("good", _("default")) if version.isDefault else "",
        version_state(version),
        (version.framework or "").removesuffix("_UNSPECIFIED"),
        version.runtimeVersion or "",
        version.pythonVersion or "",
        version.machineType or "",
        version.deploymentUri or "",
        _when(version.createTime, now),
    )


def _vertex_version(version: VertexVersion, now: float | None) -> tuple[Inline, ...]:
    scaling = version.autoScaling
    image = version.imageUri or (version.container.image if version.container else None) or ""
    return (
        version.id,
        Mark("good", _("default")) if version.isDefault else "",
        version_state(version),
        "" if version.trafficPercentage is None else f"{version.trafficPercentage} %",
        image.rpartition("/")[2],
        version.machineType or "",
        f"{scaling.minNodes}–{scaling.maxNodes}" if scaling else "",
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
    return (time or "") if now is None else formatting.age(time, now)


def _version_heads() -> tuple[str, ...]:
    runtime = (_("Framework"), _("Runtime"), "Python", _("Machine type"), _("Deployment URI"))
    return (_("Name"), _("Default"), _("State"), *runtime)


def _vertex_version_heads() -> tuple[str, ...]:
    serving = (_("Traffic"), _("Image"), _("Machine type"), _("Nodes"), _("Deployment URI"))
    return (_("Name"), _("Default"), _("State"), *serving)


def _model_heads() -> tuple[str, ...]:
    default = (_("Default version"), _("State"), _("Framework"), _("Machine type"))
    return (_("Name"), *default, _("Region"))


def _operation_heads() -> tuple[str, ...]:
    return (_("Name"), _("Type"), _("State"), _("Model"), _("Version"), _("Error"))


# By type: the label of the panel, the heads of its columns, the cells of a row.
_Columns = tuple[Callable[[], str], Callable[[], tuple[str, ...]], Callable[[Any, float | None], tuple[Inline, ...]]]
_COLUMNS: dict[type[Any], _Columns] = {
    VertexVersion: (lambda: _("versions"), _vertex_version_heads, _vertex_version),
    Version: (lambda: _("versions"), _version_heads, _version),
    Model: (lambda: _("models"), _model_heads, _model),
    Operation: (lambda: _("operations"), _operation_heads, _operation),
}

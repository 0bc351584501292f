"""Which kind of thing a value is, for all three renderers.

What this package cannot import without looking upwards or sideways (findings, plans) is known by its shape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from aip_magics.errors import AipError
from aip_magics.render.run_state import RunState
from aip_magics.spec import Model, Operation, Version

Kind = Literal[
    "version", "model", "operation", "versions", "models", "operations", "empty", "predictions", "error", "run",
    "report", "finding", "findings", "plan", "object", "objects", "upload",
    "served", "comparison", "history", "configuration", "package", "of main", "pull", "statistics", "fields", "other",
]  # fmt: skip


@runtime_checkable
class Finding(Protocol):
    """What a check found. `severity` is `error`, `warning` or `advice`; `subject` the field or file it is about."""

    @property
    def id(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def fix(self) -> str: ...
    @property
    def link(self) -> str: ...


@runtime_checkable
class Report(Protocol):
    """All findings of a preflight; `skipped` maps the ids of rules that could not decide to what has a `reason`."""

    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def skipped(self) -> Mapping[str, Any]: ...
    @property
    def passed(self) -> Sequence[str]: ...


class PlanStep(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...


class Choice(Protocol):
    """A value that was settled, and what settled it."""

    @property
    def field(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def source(self) -> str: ...


class PlannedRequest(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def body(self) -> Any: ...


@runtime_checkable
class Plan(Protocol):
    """What a deployment would do."""

    @property
    def steps(self) -> Sequence[PlanStep]: ...
    @property
    def choices(self) -> Sequence[Choice]: ...
    @property
    def requests(self) -> Sequence[PlannedRequest]: ...


@runtime_checkable
class StoredObject(Protocol):
    """An object in Cloud Storage. `size` in bytes, `crc32c` base64."""

    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def crc32c(self) -> str: ...
    @property
    def size(self) -> int: ...


@runtime_checkable
class UploadPlan(Protocol):
    """What an upload would do. `rows` are (upload, copy, remove or keep; name; size in bytes); `extra` lies there
    without a file here."""

    @property
    def destination(self) -> Any: ...
    @property
    def rows(self) -> Sequence[tuple[str, str, int]]: ...
    @property
    def extra(self) -> Sequence[Any]: ...


@runtime_checkable
class PullPlan(Protocol):
    """What a download would do. `rows` are (fetch or keep; name; size in bytes)."""

    @property
    def source(self) -> Any: ...
    @property
    def directory(self) -> Any: ...
    @property
    def rows(self) -> Sequence[tuple[str, str, int]]: ...


@runtime_checkable
class Served(Protocol):
    """A version and what serves it: `python` (the interpreter's path), `libraries` (name → version, also `python`),
    `protection` (what its worker cannot reach, see `prediction.worker_responses.Loaded`)."""

    @property
    def version(self) -> Version: ...
    @property
    def runtime(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Comparison(Protocol):
    """Two versions, with what serves them where it is known."""

    @property
    def left(self) -> Version: ...
    @property
    def right(self) -> Version: ...
    @property
    def left_runtime(self) -> Mapping[str, Any]: ...
    @property
    def right_runtime(self) -> Mapping[str, Any]: ...


class Entry(Protocol):
    """One thing that was done, at an RFC 3339 time."""

    @property
    def at(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def where(self) -> Mapping[str, str]: ...


@runtime_checkable
class History(Protocol):
    """What was done from a notebook, the oldest first."""

    @property
    def entries(self) -> Sequence[Entry]: ...


@runtime_checkable
class Configuration(Protocol):
    """Settings, each with its value and source; `problem` says what is missing, `change` how to set one."""

    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def problem(self) -> str: ...
    @property
    def change(self) -> str: ...


@runtime_checkable
class Package(Protocol):
    """A source distribution of own code: `modules` are what it makes importable, `notes` what to know of it."""

    @property
    def path(self) -> Any: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def modules(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...


@runtime_checkable
class OfMain(Protocol):
    """What a model's `file` names of a notebook: `names` of classes and functions, and what to do about them.

    `complete` is False where the file was not read to its end.
    """

    @property
    def file(self) -> Any: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def complete(self) -> bool: ...
    @property
    def advice(self) -> str: ...


_ONE: tuple[tuple[type[Any], Kind], ...] = (
    (Version, "version"),
    (Model, "model"),
    (Operation, "operation"),
    (AipError, "error"),
    (RunState, "run"),
    (Plan, "plan"),
    (Report, "report"),
    (Finding, "finding"),
    (UploadPlan, "upload"),
    (StoredObject, "object"),
    (Served, "served"),
    (Comparison, "comparison"),
    (History, "history"),
    (Configuration, "configuration"),
    (PullPlan, "pull"),
    (Package, "package"),
    (OfMain, "of main"),
)
_MANY: dict[Kind, Kind] = {
    "version": "versions",
    "model": "models",
    "operation": "operations",
    "finding": "findings",
    "object": "objects",
}


def kind(value: Any) -> Kind:
    """The kind of the value; `other` when there is no panel made for it."""
    if isinstance(value, Mapping):
        if _is_list(value.get("predictions")):
            return "predictions"
        return "statistics" if {"requests", "latencyMs", "nodes"} <= value.keys() else "other"
    if _is_list(value):
        return _kind_of_all(value)
    known = next((kind for wanted, kind in _ONE if isinstance(value, wanted)), None)
    return known or ("fields" if dataclasses.is_dataclass(value) else "other")


def _kind_of_all(values: Sequence[Any]) -> Kind:
    if not values:
        return "empty"
    many = _MANY.get(kind(values[0]), "other")
    one_of_each = {type(value): value for value in values}.values()  # looking at attributes takes 50 µs a value
    return many if all(_MANY.get(kind(value)) == many for value in one_of_each) else "other"


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))

"""The resources of the v1 API as values: Model, Version, Operation and their parts.

Field names are the API's, letter for letter (source: discovery document `ml` v1, revision 20251213). Every resource is
a frozen dataclass; `from_json` reads the API's JSON (and the YAML body of a cell, which has the same fields) and
`to_json` writes it without the fields that are not set. int64 travels as a string, times as RFC 3339 with a `Z`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from aip_magics.errors import FieldError
from aip_magics.i18n import gettext as _
from aip_magics.value_kind import value_kind

T = TypeVar("T", bound="Resource")

Framework = Literal["FRAMEWORK_UNSPECIFIED", "TENSORFLOW", "SCIKIT_LEARN", "XGBOOST"]
# The last one is not the API's: a version that exists, but has no nodes, as a target of another API can have.
# The last is no state of this API: a version on Vertex AI that no endpoint serves.
State = Literal["UNKNOWN", "READY", "CREATING", "FAILED", "DELETING", "UPDATING", "UNDEPLOYED"]
OperationType = Literal[
    "OPERATION_TYPE_UNSPECIFIED",
    "CREATE_VERSION",
    "DELETE_VERSION",
    "DELETE_MODEL",
    "UPDATE_MODEL",
    "UPDATE_VERSION",
    "UPDATE_CONFIG",
]


class Int64(int):
    """An int64: a number in Python, a string of digits in JSON."""


@dataclasses.dataclass(frozen=True)
class Resource:
    """Base class of all resources: conversion from and to the API's JSON."""

    @classmethod
    def from_json(cls: type[T], data: object, where: str = "", *, strict: bool = True) -> T:
        """Read the API's JSON object.

        Args:
            data: The decoded JSON.
            where: The dotted name of the object in errors.
            strict: Whether an unknown field is an error; else it is ignored, as in responses of a newer server.

        Raises:
            FieldError: A field is unknown or has an invalid value.
        """
        where = where or cls.__name__[0].lower() + cls.__name__[1:]
        if not isinstance(data, Mapping):
            raise FieldError(
                _("expected a mapping with the fields of {name}, got {kind}", name=cls.__name__, kind=value_kind(data)),
                where=where,
            )
        resource: Any = cls  # mypy considers the type of a dataclass unhashable
        hints = field_types(resource)
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name in hints:
                if value is not None:
                    values[name] = _read(hints[name], value, f"{where}.{name}", strict)
            elif strict:
                fix = nearest(str(name), list(hints)) or _("one of {names}", names=", ".join(hints))
                raise FieldError(
                    _("unknown field {name!r} in {resource}", resource=cls.__name__, name=name), where=where, fix=fix
                )
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The API's JSON object, without the fields that are not set."""
        return {
            field.name: _write(value)
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
        }

    def replace(self: T, **changes: Any) -> T:
        """Copy the resource with changed fields."""
        return dataclasses.replace(self, **changes)

    @property
    def id(self) -> str:
        """The last part of `name`: `v1` of `projects/p/models/m/versions/v1`."""
        return str(getattr(self, "name", None) or "").rsplit("/", 1)[-1]


@dataclasses.dataclass(frozen=True)
class MetricSpec(Resource):
    name: Literal["METRIC_NAME_UNSPECIFIED", "CPU_USAGE", "GPU_DUTY_CYCLE"] | None = None
    target: int | None = None


@dataclasses.dataclass(frozen=True)
class AutoScaling(Resource):
    minNodes: int | None = None
    maxNodes: int | None = None
    metrics: tuple[MetricSpec, ...] | None = None


@dataclasses.dataclass(frozen=True)
class ManualScaling(Resource):
    nodes: int | None = None


@dataclasses.dataclass(frozen=True)
class AcceleratorConfig(Resource):
    count: Int64 | None = None
    type: str | None = None


@dataclasses.dataclass(frozen=True)
class ContainerPort(Resource):
    containerPort: int | None = None


@dataclasses.dataclass(frozen=True)
class EnvVar(Resource):
    name: str | None = None
    value: str | None = None


@dataclasses.dataclass(frozen=True)
class ContainerSpec(Resource):
    image: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None
    env: tuple[EnvVar, ...] | None = None


@dataclasses.dataclass(frozen=True)
class RouteMap(Resource):
    predict: str | None = None
    health: str | None = None


@dataclasses.dataclass(frozen=True)
class IntegratedGradientsAttribution(Resource):
    numIntegralSteps: int | None = None


@dataclasses.dataclass(frozen=True)
class SampledShapleyAttribution(Resource):
    numPaths: int | None = None


@dataclasses.dataclass(frozen=True)
class XraiAttribution(Resource):
    numIntegralSteps: int | None = None


@dataclasses.dataclass(frozen=True)
class ExplanationConfig(Resource):
    integratedGradientsAttribution: IntegratedGradientsAttribution | None = None
    sampledShapleyAttribution: SampledShapleyAttribution | None = None
    xraiAttribution: XraiAttribution | None = None


@dataclasses.dataclass(frozen=True)
class RequestLoggingConfig(Resource):
    bigqueryTableName: str | None = None
    samplingPercentage: float | None = None


@dataclasses.dataclass(frozen=True)
class Version(Resource):
    """One deployed model of a Model resource. `deploymentUri` is the gs:// directory of its files."""

    name: str | None = None
    description: str | None = None
    isDefault: bool | None = None
    deploymentUri: str | None = None
    createTime: str | None = None
    lastUseTime: str | None = None
    runtimeVersion: str | None = None
    pythonVersion: str | None = None
    framework: Framework | None = None
    machineType: str | None = None
    acceleratorConfig: AcceleratorConfig | None = None
    autoScaling: AutoScaling | None = None
    manualScaling: ManualScaling | None = None
    container: ContainerSpec | None = None
    routes: RouteMap | None = None
    packageUris: tuple[str, ...] | None = None
    predictionClass: str | None = None
    serviceAccount: str | None = None
    explanationConfig: ExplanationConfig | None = None
    requestLoggingConfig: RequestLoggingConfig | None = None
    labels: Mapping[str, str] | None = None
    etag: str | None = None
    state: State | None = None
    errorMessage: str | None = None
    lastMigrationTime: str | None = None
    lastMigrationModelId: str | None = None

    OUTPUT_ONLY: typing.ClassVar[frozenset[str]] = frozenset(
        {"isDefault", "createTime", "lastUseTime", "state", "errorMessage", "lastMigrationTime", "lastMigrationModelId"}
    )


@dataclasses.dataclass(frozen=True)
class Model(Resource):
    """A container of versions. `regions` holds exactly one region."""

    name: str | None = None
    description: str | None = None
    defaultVersion: Version | None = None
    regions: tuple[str, ...] | None = None
    onlinePredictionLogging: bool | None = None
    onlinePredictionConsoleLogging: bool | None = None
    labels: Mapping[str, str] | None = None
    etag: str | None = None

    OUTPUT_ONLY: typing.ClassVar[frozenset[str]] = frozenset({"defaultVersion"})


@dataclasses.dataclass(frozen=True)
class OperationMetadata(Resource):
    createTime: str | None = None
    startTime: str | None = None
    endTime: str | None = None
    isCancellationRequested: bool | None = None
    operationType: OperationType | None = None
    modelName: str | None = None
    version: Version | None = None
    projectNumber: Int64 | None = None
    labels: Mapping[str, str] | None = None
    # The API defines a map of anything: `@type`, and the members that a server adds (the embedded server: `progress`).
    other: Mapping[str, Any] | None = dataclasses.field(default=None, metadata={"api": False})

    @classmethod
    def from_json(cls, data: object, where: str = "", *, strict: bool = True) -> OperationMetadata:
        if not isinstance(data, Mapping):
            return super().from_json(data, where, strict=strict)
        resource: Any = cls  # mypy considers the type of a dataclass unhashable
        names = field_types(resource)
        other = {name: value for name, value in data.items() if name not in names}
        known = {name: value for name, value in data.items() if name in names}
        return super().from_json(known, where, strict=strict).replace(other=other or None)

    def to_json(self) -> dict[str, Any]:
        data = super().to_json()
        return {**data.pop("other", {}), **data}


@dataclasses.dataclass(frozen=True)
class Status(Resource):
    """`google.rpc.Status`: `code` is the number of the google.rpc code (3 INVALID_ARGUMENT, 5 NOT_FOUND …)."""

    code: int | None = None
    message: str | None = None
    details: tuple[Mapping[str, Any], ...] | None = None


@dataclasses.dataclass(frozen=True)
class Operation(Resource):
    """A long-running operation; when `done`, with `error` or `response`."""

    name: str | None = None
    metadata: OperationMetadata | None = None
    done: bool | None = None
    error: Status | None = None
    response: Mapping[str, Any] | None = None


@functools.cache
def field_types(cls: Callable[..., Resource]) -> dict[str, Any]:
    """Map the field names of a resource to their types, without the `| None`."""
    resource: Any = cls  # mypy does not see that the type is a dataclass
    hints = typing.get_type_hints(resource)
    fields = [field.name for field in dataclasses.fields(resource) if field.metadata.get("api", True)]
    return {name: _without_none(hints[name]) for name in fields}


def nearest(word: str, known: list[str]) -> str:
    """Suggest the most similar known word, `did you mean 'X'?`; empty without a similar word."""
    folded = {name.lower().replace("-", "").replace("_", ""): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("-", "").replace("_", ""), folded, n=1)
    return _("did you mean {name!r}?", name=folded[found[0]]) if found else ""


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    return hint


def _read(hint: Any, value: Any, where: str, strict: bool) -> Any:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return _read_enum(typing.get_args(hint), value, where, strict)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise FieldError(
                _("expected a list, got {kind}", kind=value_kind(value)), where=where, fix=_("put the value in [ ]")
            )
        return tuple(_read(typing.get_args(hint)[0], item, f"{where}[{i}]", strict) for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise FieldError(_("expected a mapping (key: value), got {kind}", kind=value_kind(value)), where=where)
        if strict and typing.get_args(hint)[1] is str:
            for key, item in value.items():
                if not isinstance(item, str):
                    at = f"{where}.{key}"
                    raise FieldError(
                        _("expected a string, got {kind}", kind=value_kind(item)),
                        where=at,
                        fix=_('write "{item}"', item=item),
                    )
        return dict(value)
    if issubclass(hint, Resource):
        return hint.from_json(value, where, strict=strict)
    return _read_scalar(hint, value, where)


def _read_enum(choices: tuple[str, ...], value: Any, where: str, strict: bool) -> str:
    # gcloud accepts `scikit-learn`, the API SCIKIT_LEARN: both are accepted, in upper and lower case.
    if isinstance(value, str):
        name = value.upper().replace("-", "_")
        if name in choices:
            return name
        if not strict:
            return value
    valid = [choice for choice in choices if not choice.endswith("_UNSPECIFIED") and choice != "UNKNOWN"]
    fix = nearest(str(value), valid) or _("one of {names}", names=", ".join(valid))
    raise FieldError(_("invalid value {value!r}", value=value), where=where, fix=fix)


def _read_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is bool and isinstance(value, bool):
        return value
    if hint in (int, Int64) and not isinstance(value, bool):
        if isinstance(value, int):
            return hint(value)
        if isinstance(value, str) and len(value) <= 20 and value.removeprefix("-").isdecimal():
            return hint(int(value))
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is str:
        if isinstance(value, str):
            return value
        if isinstance(written := getattr(value, "written", None), str):
            return written  # a number in a cell: `runtimeVersion: 2.10` means the string, not the number 2.1
    whole = _("a whole number")
    expected = {bool: _("true or false"), int: whole, Int64: whole, float: _("a number"), str: _("a string")}
    quoted = ""
    if hint is str and isinstance(value, bool):  # not known whether true, True or TRUE was written
        quoted = _("put the value in quotes")
    elif hint is str and isinstance(value, (int, float)):
        quoted = _('put the value in quotes: "{value}"', value=value)
    raise FieldError(
        _("expected {wanted}, got {kind}", wanted=expected[hint], kind=value_kind(value)), where=where, fix=quoted
    )


def _write(value: Any) -> Any:
    if isinstance(value, Resource):
        return value.to_json()
    if isinstance(value, tuple):
        return [_write(item) for item in value]
    if isinstance(value, Int64):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value

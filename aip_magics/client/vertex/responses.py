"""The shapes of Vertex AI's responses, as far as they are used: a response of another shape is an error, no traceback.

They are read as values only to be checked: the parts of a response that are not known here are kept, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aip_magics.errors import FieldError
from aip_magics.i18n import gettext as _
from aip_magics.spec import ContainerPort, EnvVar, Int64, Resource
from aip_magics.value_kind import value_kind


@dataclasses.dataclass(frozen=True)
class _ContainerSpec(Resource):
    imageUri: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None
    predictRoute: str | None = None
    healthRoute: str | None = None


@dataclasses.dataclass(frozen=True)
class _Model(Resource):
    name: str | None = None
    description: str | None = None
    versionId: Int64 | None = None
    versionDescription: str | None = None
    versionAliases: tuple[str, ...] | None = None
    versionCreateTime: str | None = None
    createTime: str | None = None
    artifactUri: str | None = None
    labels: Mapping[str, str] | None = None
    containerSpec: _ContainerSpec | None = None


@dataclasses.dataclass(frozen=True)
class _MachineSpec(Resource):
    machineType: str | None = None
    acceleratorType: str | None = None
    acceleratorCount: int | None = None


@dataclasses.dataclass(frozen=True)
class _MetricSpec(Resource):
    metricName: str | None = None
    target: int | None = None


@dataclasses.dataclass(frozen=True)
class _DedicatedResources(Resource):
    machineSpec: _MachineSpec | None = None
    minReplicaCount: int | None = None
    maxReplicaCount: int | None = None
    autoscalingMetricSpecs: tuple[_MetricSpec, ...] | None = None


@dataclasses.dataclass(frozen=True)
class _DeployedModel(Resource):
    model: str | None = None
    modelVersionId: str | None = None
    serviceAccount: str | None = None
    dedicatedResources: _DedicatedResources | None = None


@dataclasses.dataclass(frozen=True)
class _BigQueryDestination(Resource):
    outputUri: str | None = None


@dataclasses.dataclass(frozen=True)
class _RequestLogging(Resource):
    enabled: bool | None = None
    samplingRate: float | None = None
    bigqueryDestination: _BigQueryDestination | None = None


@dataclasses.dataclass(frozen=True)
class _Endpoint(Resource):
    name: str | None = None
    displayName: str | None = None
    description: str | None = None
    labels: Mapping[str, str] | None = None
    deployedModels: tuple[_DeployedModel, ...] | None = None
    trafficSplit: Mapping[str, int] | None = None
    predictRequestResponseLoggingConfig: _RequestLogging | None = None


@dataclasses.dataclass(frozen=True)
class _GenericMetadata(Resource):
    createTime: str | None = None
    updateTime: str | None = None


@dataclasses.dataclass(frozen=True)
class _Metadata(Resource):
    genericMetadata: _GenericMetadata | None = None


@dataclasses.dataclass(frozen=True)
class _Response(Resource):
    modelVersionId: str | None = None
    deployedModel: _DeployedModel | None = None


@dataclasses.dataclass(frozen=True)
class _Operation(Resource):
    name: str | None = None
    done: bool | None = None
    metadata: _Metadata | None = None
    response: _Response | None = None


def model(data: Any) -> Mapping[str, Any]:
    """Return a Vertex Model, or a version of one, as it came. FieldError if it is none."""
    return _checked(_Model, data, "model")


def endpoint(data: Any) -> Mapping[str, Any]:
    """Return an Endpoint as it came. FieldError if it is none."""
    found = _checked(_Endpoint, data, "endpoint")
    for id_, percent in (found.get("trafficSplit") or {}).items():
        if type(percent) is not int:
            text = _("expected {wanted}, got {kind}", wanted=_("a whole number"), kind=value_kind(percent))
            raise FieldError(text, where=f"endpoint.trafficSplit.{id_}")
    return found


def operation(data: Any) -> Mapping[str, Any]:
    """Return an Operation as it came. FieldError if it is none."""
    return _checked(_Operation, data, "operation")


def _checked(kind: type[Resource], data: Any, where: str) -> Mapping[str, Any]:
    kind.from_json(data, where, strict=False)
    found: Mapping[str, Any] = data
    return found

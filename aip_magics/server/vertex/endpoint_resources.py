"""Endpoint, DeployedModel and the requests about them, as values.

Field names are the API's (source: discovery document `aiplatform` v1, revision 20261106). What the server refuses is
kept as it came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aip_magics.spec import Resource


@dataclasses.dataclass(frozen=True)
class MachineSpec(Resource):
    machineType: str | None = None
    acceleratorType: str | None = None
    acceleratorCount: int | None = None
    gpuPartitionSize: str | None = None
    tpuTopology: str | None = None
    reservationAffinity: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, data: object, where: str = "", *, strict: bool = True) -> MachineSpec:
        if isinstance(data, Mapping) and isinstance(data.get("acceleratorType"), int):
            data = {**data, "acceleratorType": str(data["acceleratorType"])}  # Google's library sends enums as numbers
        return super().from_json(data, where, strict=strict)


@dataclasses.dataclass(frozen=True)
class AutoscalingMetricSpec(Resource):
    metricName: str | None = None
    target: int | None = None


@dataclasses.dataclass(frozen=True)
class DedicatedResources(Resource):
    machineSpec: MachineSpec | None = None
    minReplicaCount: int | None = None
    maxReplicaCount: int | None = None
    requiredReplicaCount: int | None = None
    autoscalingMetricSpecs: tuple[AutoscalingMetricSpec, ...] | None = None
    spot: bool | None = None


@dataclasses.dataclass(frozen=True)
class DeployedModel(Resource):
    id: str | None = None  # type: ignore[assignment]  # a field here; elsewhere the last part of `name`
    model: str | None = None
    modelVersionId: str | None = None
    displayName: str | None = None
    createTime: str | None = None
    dedicatedResources: DedicatedResources | None = None
    automaticResources: Mapping[str, Any] | None = None
    sharedResources: str | None = None
    serviceAccount: str | None = None
    enableAccessLogging: bool | None = None
    disableContainerLogging: bool | None = None
    disableExplanations: bool | None = None
    explanationSpec: Mapping[str, Any] | None = None
    privateEndpoints: Mapping[str, Any] | None = None
    fasterDeploymentConfig: Mapping[str, Any] | None = None
    gdcConnectedModel: str | None = None
    checkpointId: str | None = None
    speculativeDecodingSpec: Mapping[str, Any] | None = None
    status: Mapping[str, Any] | None = None
    systemLabels: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class ClientConnectionConfig(Resource):
    inferenceTimeout: str | None = None


@dataclasses.dataclass(frozen=True)
class Endpoint(Resource):
    name: str | None = None
    displayName: str | None = None
    description: str | None = None
    deployedModels: tuple[Mapping[str, Any], ...] | None = None
    trafficSplit: Mapping[str, Any] | None = None
    etag: str | None = None
    labels: Mapping[str, str] | None = None
    createTime: str | None = None
    updateTime: str | None = None
    dedicatedEndpointEnabled: bool | None = None
    dedicatedEndpointDns: str | None = None
    clientConnectionConfig: ClientConnectionConfig | None = None
    encryptionSpec: Mapping[str, Any] | None = None
    network: str | None = None
    enablePrivateServiceConnect: bool | None = None
    privateServiceConnectConfig: Mapping[str, Any] | None = None
    modelDeploymentMonitoringJob: str | None = None
    predictRequestResponseLoggingConfig: Mapping[str, Any] | None = None
    gdcConfig: Mapping[str, Any] | None = None
    genAiAdvancedFeaturesConfig: Mapping[str, Any] | None = None
    satisfiesPzs: bool | None = None
    satisfiesPzi: bool | None = None


@dataclasses.dataclass(frozen=True)
class DeployModelRequest(Resource):
    deployedModel: DeployedModel | None = None
    trafficSplit: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class UndeployModelRequest(Resource):
    deployedModelId: str | None = None
    trafficSplit: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class MutateDeployedModelRequest(Resource):
    deployedModel: DeployedModel | None = None
    updateMask: str | None = None

"""Endpoint, DeployedModel and the requests about them, as values.

Field names are the API's (source: discovery document `aiplatform` v1, revision 20261106). What the server refuses is
kept as it came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from aip_magics.server.vertex.bodies import VertexResource

# The numbers of AcceleratorType that exist, so that an error can name the accelerator.
_ACCELERATORS = {
    0: "ACCELERATOR_TYPE_UNSPECIFIED",
    1: "NVIDIA_TESLA_K80",
    2: "NVIDIA_TESLA_P100",
    3: "NVIDIA_TESLA_V100",
    4: "NVIDIA_TESLA_P4",
    5: "NVIDIA_TESLA_T4",
    6: "TPU_V2",
    7: "TPU_V3",
    8: "NVIDIA_TESLA_A100",
    9: "NVIDIA_A100_80GB",
    10: "TPU_V4_POD",
    11: "NVIDIA_L4",
    12: "TPU_V5_LITEPOD",
    13: "NVIDIA_H100_80GB",
    14: "NVIDIA_H100_MEGA_80GB",
    15: "NVIDIA_H200_141GB",
    16: "NVIDIA_B200",
    17: "NVIDIA_GB200",
    18: "NVIDIA_RTX_PRO_6000",
}


@dataclasses.dataclass(frozen=True)
class MachineSpec(VertexResource):
    machineType: str | None = None
    acceleratorType: str | None = None
    acceleratorCount: int | None = None
    gpuPartitionSize: str | None = None
    tpuTopology: str | None = None
    reservationAffinity: Mapping[str, Any] | None = None

    ENUMS: ClassVar[Mapping[str, Mapping[int, str]]] = {"acceleratorType": _ACCELERATORS}


@dataclasses.dataclass(frozen=True)
class AutoscalingMetricSpec(VertexResource):
    metricName: str | None = None
    target: int | None = None


@dataclasses.dataclass(frozen=True)
class DedicatedResources(VertexResource):
    machineSpec: MachineSpec | None = None
    minReplicaCount: int | None = None
    maxReplicaCount: int | None = None
    requiredReplicaCount: int | None = None
    autoscalingMetricSpecs: tuple[AutoscalingMetricSpec, ...] | None = None
    spot: bool | None = None


@dataclasses.dataclass(frozen=True)
class DeployedModel(VertexResource):
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

    OUTPUT_ONLY: ClassVar[frozenset[str]] = frozenset({"modelVersionId", "createTime", "privateEndpoints", "status"})


@dataclasses.dataclass(frozen=True)
class ClientConnectionConfig(VertexResource):
    inferenceTimeout: str | None = None


@dataclasses.dataclass(frozen=True)
class BigQueryDestination(VertexResource):
    outputUri: str | None = None


@dataclasses.dataclass(frozen=True)
class PredictRequestResponseLoggingConfig(VertexResource):
    enabled: bool | None = None
    samplingRate: float | None = None
    bigqueryDestination: BigQueryDestination | None = None


@dataclasses.dataclass(frozen=True)
class Endpoint(VertexResource):
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
    predictRequestResponseLoggingConfig: PredictRequestResponseLoggingConfig | None = None
    gdcConfig: Mapping[str, Any] | None = None
    genAiAdvancedFeaturesConfig: Mapping[str, Any] | None = None
    satisfiesPzs: bool | None = None
    satisfiesPzi: bool | None = None

    OUTPUT_ONLY: ClassVar[frozenset[str]] = frozenset(
        {
            "deployedModels", "createTime", "updateTime", "dedicatedEndpointDns", "modelDeploymentMonitoringJob",
            "satisfiesPzs", "satisfiesPzi",
        }
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DeployModelRequest(VertexResource):
    endpoint: str | None = None  # part of the message, but in the path
    deployedModel: DeployedModel | None = None
    trafficSplit: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class UndeployModelRequest(VertexResource):
    endpoint: str | None = None  # in the path
    deployedModelId: str | None = None
    trafficSplit: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class MutateDeployedModelRequest(VertexResource):
    endpoint: str | None = None  # in the path
    deployedModel: DeployedModel | None = None
    updateMask: str | None = None

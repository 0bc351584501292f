"""The resources and messages of Vertex AI's API for models (source: discovery document `aiplatform` v1, 20261106).

Parts that the server stores and returns without a look inside are mappings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from aip_magics.server.vertex.bodies import VertexResource
from aip_magics.spec import Int64

API = "type.googleapis.com/google.cloud.aiplatform.v1."


@dataclasses.dataclass(frozen=True)
class Port(VertexResource):
    containerPort: int | None = None


@dataclasses.dataclass(frozen=True)
class EnvVar(VertexResource):
    name: str | None = None
    value: str | None = None


@dataclasses.dataclass(frozen=True)
class ModelContainerSpec(VertexResource):
    imageUri: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    ports: tuple[Port, ...] | None = None
    grpcPorts: tuple[Port, ...] | None = None
    predictRoute: str | None = None
    healthRoute: str | None = None
    invokeRoutePrefix: str | None = None
    deploymentTimeout: str | None = None
    sharedMemorySizeMb: Int64 | None = None
    startupProbe: Mapping[str, Any] | None = None
    healthProbe: Mapping[str, Any] | None = None
    livenessProbe: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Model(VertexResource):
    """One version of a model. `artifactUri` is the gs:// directory of its files."""

    name: str | None = None
    versionId: str | None = None
    versionAliases: tuple[str, ...] | None = None
    versionCreateTime: str | None = None
    versionUpdateTime: str | None = None
    displayName: str | None = None
    description: str | None = None
    versionDescription: str | None = None
    defaultCheckpointId: str | None = None
    predictSchemata: Mapping[str, Any] | None = None
    metadataSchemaUri: str | None = None
    metadata: Mapping[str, Any] | None = None
    supportedExportFormats: tuple[Mapping[str, Any], ...] | None = None
    trainingPipeline: str | None = None
    pipelineJob: str | None = None
    containerSpec: ModelContainerSpec | None = None
    artifactUri: str | None = None
    supportedDeploymentResourcesTypes: tuple[str, ...] | None = None
    supportedInputStorageFormats: tuple[str, ...] | None = None
    supportedOutputStorageFormats: tuple[str, ...] | None = None
    createTime: str | None = None
    updateTime: str | None = None
    deployedModels: tuple[Mapping[str, Any], ...] | None = None
    explanationSpec: Mapping[str, Any] | None = None
    etag: str | None = None
    labels: Mapping[str, str] | None = None
    dataStats: Mapping[str, Any] | None = None
    encryptionSpec: Mapping[str, Any] | None = None
    modelSourceInfo: Mapping[str, Any] | None = None
    originalModelInfo: Mapping[str, Any] | None = None
    baseModelSource: Mapping[str, Any] | None = None
    metadataArtifact: str | None = None
    checkpoints: tuple[Mapping[str, Any], ...] | None = None
    satisfiesPzs: bool | None = None
    satisfiesPzi: bool | None = None

    OUTPUT_ONLY: ClassVar[frozenset[str]] = frozenset(
        {
            "versionId", "versionCreateTime", "versionUpdateTime", "supportedExportFormats", "trainingPipeline",
            "supportedDeploymentResourcesTypes", "supportedInputStorageFormats", "supportedOutputStorageFormats",
            "createTime", "updateTime", "deployedModels", "modelSourceInfo", "originalModelInfo", "metadataArtifact",
            "checkpoints", "satisfiesPzs", "satisfiesPzi",
        }
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class UploadModelRequest(VertexResource):
    parent: str | None = None  # part of the message, but in the path
    parentModel: str | None = None
    modelId: str | None = None
    model: Model | None = None
    serviceAccount: str | None = None


@dataclasses.dataclass(frozen=True)
class MergeVersionAliasesRequest(VertexResource):
    name: str | None = None  # in the path
    versionAliases: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class WaitOperationRequest(VertexResource):
    name: str | None = None  # in the path
    timeout: str | None = None

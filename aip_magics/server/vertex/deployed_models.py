"""deployModel, undeployModel and mutateDeployedModel.

A deployed model is a row of `versions` below its endpoint, which a CREATE_VERSION operation creates as it does in AI
Platform's API. While that runs, the operation holds the DeployedModel and the traffic split that were requested; the
endpoint gets both at its end, in the same transaction (`deployment_end`). So a deployment that fails, or is killed, has
not changed the endpoint.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request

from aip_magics.errors import AlreadyExists, NotFound
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import field_masks, google_json
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state.database import VersionRow
from aip_magics.server.state.endpoints_table import EndpointRow
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.state.vertex_models_table import VertexModelRow, VertexVersionRow
from aip_magics.server.vertex import deployment_rules, endpoints, model_views, names, operations, traffic
from aip_magics.server.vertex.bodies import parse_body
from aip_magics.server.vertex.endpoint_resources import (
    DeployedModel,
    DeployModelRequest,
    MutateDeployedModelRequest,
    UndeployModelRequest,
)
from aip_magics.server.vertex.error_texts import field_error
from aip_magics.server.vertex.resources import API

_ID = re.compile(r"[0-9]{1,10}")
DRAIN_SECONDS = 10.0  # for the requests that a model still has when it is undeployed
MUTABLE = (
    "dedicatedResources.minReplicaCount",
    "dedicatedResources.maxReplicaCount",
    "dedicatedResources.requiredReplicaCount",
    "dedicatedResources.autoscalingMetricSpecs",
    "disableContainerLogging",
)


async def deploy(request: Request) -> dict[str, Any]:
    """endpoints.deployModel: returns a running Operation; the model is loaded in the background."""
    context, key = get_context(request), endpoints.endpoint_key(request)
    body = await parse_body(request, DeployModelRequest)
    requested = body.deployedModel or DeployedModel()
    endpoints.require_endpoint(context, key)
    deployment_rules.check_deployed_model(requested)
    split = traffic.parse(body.trafficSplit)
    _, served = _find_model(context, key, requested.model or "")
    if not served.serving.predictionClass:
        await asyncio.to_thread(context.warm, served.python, served.serving.framework)
    # No await from here on: the endpoint must not change between these checks and the insert.
    endpoint = endpoints.require_endpoint(context, key)
    endpoints.check_not_busy(context, key)
    model, served = _find_model(context, key, requested.model or "")
    ids = endpoints.deployed_ids(endpoint)
    id_ = _new_id(requested.id, ids)
    traffic.check_ids(split, {traffic.NEW, *ids})
    document = _document(context, requested, (model, served), id_)
    operation = _build_operation(context, key.child(id_), {"deployedModel": document, "trafficSplit": split})
    version = served.serving.replace(
        state="CREATING",
        createTime=google_json.timestamp(context.clock()),
        requestLoggingConfig=endpoints.request_logging(endpoint),
        **deployment_rules.serving_fields(document),
    )
    row = VersionRow(key.child(id_), version, served.python, artifact=served.artifact, packages=served.packages)
    context.database.create_version(row, operation)
    stored = context.database.get_operation(operation.location, operation.project, operation.id)
    assert stored is not None
    context.version_creator.start(stored)
    return operations.serialize(context, stored)


async def undeploy(request: Request) -> dict[str, Any]:
    """endpoints.undeployModel: the returned Operation is done, and the nodes of the model are gone."""
    context, key = get_context(request), endpoints.endpoint_key(request)
    body = await parse_body(request, UndeployModelRequest)
    split = traffic.parse(body.trafficSplit)
    # No await until the transaction is done.
    endpoint = endpoints.require_endpoint(context, key)
    id_ = body.deployedModelId or ""
    document = require_deployed(endpoint, id_)
    endpoints.check_not_busy(context, key)
    others = [one for one in endpoints.deployed_ids(endpoint) if one != id_]
    changed = {
        **endpoint.document,
        "deployedModels": [one for one in endpoint.document["deployedModels"] if one != document],
        "trafficSplit": traffic.after_undeploy(endpoint.document["trafficSplit"], split, id_, others),
    }
    operation = operations.build_done_operation(
        context,
        key,
        f"endpoints/{key.model}",
        "UndeployModelOperationMetadata",
        {"@type": f"{API}UndeployModelResponse"},
    )
    row = context.database.get_version(key.child(id_))
    assert row is not None
    with context.database.transaction():
        context.database.endpoints.update(endpoints.touched(context, EndpointRow(key, changed)))
        context.database.delete_version(row.key, operation)
    context.last_use.forget(row.key)
    await context.nodes.close(row.key, DRAIN_SECONDS)
    await context.version_creator.release(row)
    return operations.serialize(context, operation)


async def mutate(request: Request) -> dict[str, Any]:
    """endpoints.mutateDeployedModel: the returned Operation is done; nodes are started and stopped afterwards."""
    context, key = get_context(request), endpoints.endpoint_key(request)
    body = await parse_body(request, MutateDeployedModelRequest)
    requested = body.deployedModel or DeployedModel()
    mask = body.updateMask
    paths = field_masks.parse(mask, MUTABLE) if mask else field_masks.from_request(request, MUTABLE)
    # No await from here on: the endpoint must not change between read and update.
    endpoint = endpoints.require_endpoint(context, key)
    document = require_deployed(endpoint, requested.id or "")
    row = context.database.get_version(key.child(document["id"]))
    assert row is not None
    changed = field_masks.apply(DeployedModel.from_json(document, strict=False), requested, paths)
    deployment_rules.check_resources(changed)
    shown = deployment_rules.complete_resources(changed.to_json())
    listed = [shown if one["id"] == shown["id"] else one for one in endpoint.document["deployedModels"]]
    operation = operations.build_done_operation(
        context,
        key,
        f"endpoints/{key.model}",
        "MutateDeployedModelOperationMetadata",
        {"@type": f"{API}MutateDeployedModelResponse", "deployedModel": shown},
    )
    version = row.version.replace(**deployment_rules.serving_fields(shown))
    with context.database.transaction():
        row_of_endpoint = EndpointRow(key, {**endpoint.document, "deployedModels": listed})
        context.database.endpoints.update(endpoints.touched(context, row_of_endpoint))
        context.database.update_version(row.key, version, operation)
    context.nodes.rescale(row.key, version)
    return operations.serialize(context, operation)


def _find_model(context: AppContext, key: ModelKey, name: str) -> tuple[VertexModelRow, VertexVersionRow]:
    """Return the model of a full name and the version that it names, by default the default version."""
    model_key, version = names.parse_model_name("deployed_model.model", name, names.parent_of_key(key))
    found = model_views.require_model(context.database, model_key)
    return found.row, found.require(version)


def _document(
    context: AppContext, requested: DeployedModel, found: tuple[VertexModelRow, VertexVersionRow], id_: str
) -> dict[str, Any]:
    """Return the DeployedModel that the endpoint will show."""
    model, version = found
    document = requested.replace(
        id=id_,
        model=names.model_name(model.key),
        modelVersionId=str(version.version),
        displayName=requested.displayName or str(model.document["displayName"]),
        createTime=operations.timestamp(context.clock()),
    ).to_json()
    return deployment_rules.complete_resources({name: value for name, value in document.items() if value is not False})


def _build_operation(context: AppContext, key: VersionKey, requested: Mapping[str, Any]) -> OperationRow:
    row = operations.build_operation(
        context,
        key.parent,
        f"endpoints/{key.model}",
        "DeployModelOperationMetadata",
        version=key.version,
        kind="CREATE_VERSION",
    )
    metadata = row.operation.metadata
    assert metadata is not None
    metadata = metadata.replace(other={**(metadata.other or {}), operations.REQUESTED: requested})
    return dataclasses.replace(row, operation=row.operation.replace(metadata=metadata))


def _new_id(requested: str | None, taken: Collection[str]) -> str:
    if not requested:
        return names.new_id()
    if not _ID.fullmatch(requested) or requested == traffic.NEW:
        text = f"An ID of 1 to 10 digits is expected, and not {traffic.NEW}, got {requested[:100]!r}."
        raise field_error("deployed_model.id", text)
    if requested in taken:
        raise AlreadyExists(f"A DeployedModel with ID {requested} already exists in the endpoint.")
    return requested


def require_deployed(endpoint: EndpointRow, id_: str) -> dict[str, Any]:
    """Return the DeployedModel of an endpoint; NotFound when it has none of this id."""
    for document in endpoint.document["deployedModels"]:
        if document["id"] == id_:
            return dict(document)
    name = names.endpoint_name(endpoint.key)
    raise NotFound(f"The DeployedModel with ID {id_[:100]!r} was not found in the endpoint {name}.")

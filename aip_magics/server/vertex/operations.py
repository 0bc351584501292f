"""Operations of Vertex AI's API: get, list, wait, cancel, delete; and functions that build and serialize them.

Most are done when they are returned: what they report was done in the transaction that stored them. Deploying a model
is the exception: its row is the CREATE_VERSION operation of the version that serves it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition
from aip_magics.server.api import operations as ai_platform_operations
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import google_json, pagination
from aip_magics.server.names import ModelKey
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.vertex import error_texts
from aip_magics.server.vertex.bodies import parse_body
from aip_magics.server.vertex.names import Parent, parent_of
from aip_magics.server.vertex.resources import API, WaitOperationRequest
from aip_magics.spec import Operation, OperationMetadata, OperationType

REQUESTED = "requested"  # in the metadata of a deployment: what its request asked for, which clients do not see
MAX_WAIT_SECONDS = 60.0
POLL_SECONDS = 10.0
# The SDK alone asks for operations below /ui/. Like gcloud it asks at once, and then after a second or more.
_SDK_PREFIX = "ui"
# The SDK refuses metadata with further fields, so an extension such as AI Platform's `progress` is not possible.
_STAGES = {
    "copying": "PREPARING_MODEL",
    "installing": "GETTING_CONTAINER_IMAGE",
    "loading": "STARTING_MODEL_SERVER",
    "ready": "FINISHING_UP",
}
_MAX_COUNT = 1 << 30


async def get(request: Request) -> dict[str, Any]:
    """operations.get, of the location, a model or an endpoint; the location has AI Platform's operations, too."""
    if _is_ai_platform(request):
        return await ai_platform_operations.get(request)
    row = _require_operation(request)
    is_gcloud = request.headers.get("user-agent", "").startswith(ai_platform_operations.GCLOUD)
    if not row.operation.done and (is_gcloud or request.path_params["api"] == _SDK_PREFIX):
        row = await _wait(request, row, POLL_SECONDS)
    return serialize(get_context(request), row)


async def list_(request: Request) -> dict[str, Any]:
    """operations.list, the newest first."""
    context, parent, owner = get_context(request), parent_of(request), _owner(request)

    def fetch(after: str, count: int) -> list[OperationRow]:
        if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise pagination.bad_token()
        before = int(after) if after else None
        rows = context.database.list_operations(parent.location, parent.project, before, _MAX_COUNT if owner else count)
        return [row for row in rows if _is_of(row, owner)][:count]

    return pagination.paginate(
        request, "operations", fetch, lambda row: str(row.number), lambda row: serialize(context, row)
    )


async def wait(request: Request) -> dict[str, Any]:
    """operations.wait: at most `timeout`, and at most a minute."""
    body = await parse_body(request, WaitOperationRequest)
    text = body.timeout or request.query_params.get("timeout") or f"{MAX_WAIT_SECONDS:.0f}s"
    seconds = google_json.parse_duration(text)
    if seconds is None:
        raise error_texts.field_error("timeout", f"Invalid duration {text[:100]!r}: expected seconds such as 30s.")
    row = await _wait(request, _require_operation(request), min(seconds, MAX_WAIT_SECONDS))
    return serialize(get_context(request), row)


async def cancel(request: Request) -> dict[str, Any]:
    """operations.cancel: best effort; a finished operation is not changed."""
    if _is_ai_platform(request):
        return await ai_platform_operations.cancel(request)
    get_context(request).version_creator.cancel(_require_operation(request))
    return {}


async def delete(request: Request) -> dict[str, Any]:
    """operations.delete: forget a finished operation."""
    row = _require_operation(request)
    if not row.operation.done:
        raise FailedPrecondition("A running operation cannot be deleted; cancel it, or wait until it is done.")
    get_context(request).database.delete_operation(row)
    return {}


def build_done_operation(
    context: AppContext, key: ModelKey, resource: str, metadata: str, response: Mapping[str, Any]
) -> OperationRow:
    """Build a finished operation; the transaction that stores it also does its work.

    Args:
        context: The state of the server.
        key: The key of the model or endpoint.
        resource: The collection and id of the resource in the operation's name: `models/iris`.
        metadata: The type of the metadata: `UploadModelOperationMetadata`.
        response: The response with its `@type`.
    """
    row = build_operation(context, key, resource, metadata)
    ended = google_json.timestamp(context.clock())
    assert row.operation.metadata is not None
    operation = row.operation.replace(
        done=True, response=response, metadata=row.operation.metadata.replace(endTime=ended)
    )
    return dataclasses.replace(row, operation=operation)


def build_operation(
    context: AppContext,
    key: ModelKey,
    resource: str,
    metadata: str,
    *,
    version: str | None = None,
    kind: OperationType | None = None,
) -> OperationRow:
    """Build an operation that starts now; `version` and `kind` are those of a row of `versions` that it creates."""
    moment = context.clock()
    parent = Parent(key.location, key.project)
    now = timestamp(moment)
    other = {"@type": f"{API}{metadata}", "genericMetadata": {"createTime": now, "updateTime": now}}
    number = _unused_number(context, parent, moment)
    name = f"{parent.name}/{resource}/operations/{number}"
    started = google_json.timestamp(moment)
    document = OperationMetadata(createTime=started, startTime=started, operationType=kind, other=other)
    return OperationRow(key.location, key.project, key.model, version, Operation(name, document))


def serialize(context: AppContext, row: OperationRow) -> dict[str, Any]:
    """Build the Operation's JSON. While a model is being deployed, its metadata has the stage."""
    data = row.operation.to_json()
    metadata = row.operation.metadata or OperationMetadata()
    shown = {name: value for name, value in (metadata.other or {}).items() if name != REQUESTED}
    progress = None if row.operation.done else context.version_creator.progress(row)
    if progress:
        shown["deploymentStage"] = _STAGES[progress["stage"]]
    if metadata.endTime:  # in seconds, so that it may seem to be before the creation
        generic = shown.get("genericMetadata", {})
        updated = max(generic.get("updateTime", ""), metadata.endTime, key=lambda time: time.removesuffix("Z"))
        shown["genericMetadata"] = {**generic, "updateTime": updated}
    return {**data, "metadata": shown}


def timestamp(moment: datetime) -> str:
    """Format a time as in Vertex AI: RFC 3339 in UTC with microseconds."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _unused_number(context: AppContext, parent: Parent, moment: datetime) -> str:
    """Return a new operation's number, of 19 digits as in the service."""
    number = int(moment.timestamp() * 1000) * 10**6
    while context.database.get_operation(parent.location, parent.project, str(number)):
        number += 1
    return str(number)


def _is_ai_platform(request: Request) -> bool:
    """Whether the operation is one of AI Platform's API, which also has operations below locations."""
    path = request.path_params
    return path["api"] == "v1" and "collection" not in path and not path["operation"].isdecimal()


def _owner(request: Request) -> str:
    """Return the model or endpoint in the path, `models/M`; empty for the operations of a location."""
    path = request.path_params
    return f"{path['collection']}/{path['resource'].partition('@')[0]}" if "collection" in path else ""


def _is_of(row: OperationRow, owner: str) -> bool:
    return not owner or f"/{owner}/operations/" in str(row.operation.name)


def _require_operation(request: Request) -> OperationRow:
    parent, operation = parent_of(request), request.path_params["operation"]
    row = get_context(request).database.get_operation(parent.location, parent.project, operation)
    if row is None or not _is_of(row, _owner(request)):
        raise error_texts.not_found("Operation", f"{parent.name}/operations/{operation}")
    return row


async def _wait(request: Request, row: OperationRow, seconds: float) -> OperationRow:
    await get_context(request).version_creator.wait(row, seconds)
    return _require_operation(request)

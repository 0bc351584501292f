"""projects.operations: get, list, cancel; and functions that build Operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from aip_magics.server.api.projects import get_project_number
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import error_responses, google_json, pagination
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state import serializers
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.spec import Operation, OperationMetadata, OperationType, Version

GCLOUD = "google-cloud-sdk"
GCLOUD_SECONDS = 10.0


async def get(request: Request) -> dict[str, Any]:
    """operations.get"""
    row = _require_operation(request)
    if request.headers.get("user-agent", "").startswith(GCLOUD) and not row.operation.done:
        # gcloud polls immediately, then every 5 s: without the wait, a version that loads in 0.5 s would take 5 s.
        await get_context(request).version_creator.wait(row, GCLOUD_SECONDS)
        row = _require_operation(request)
    return _serialize(get_context(request), row)


async def list_(request: Request) -> dict[str, Any]:
    """operations.list, the newest first: our client relies on that, the API does not define an order."""
    context, location, project = get_context(request), request.scope["location"], request.path_params["project"]

    def fetch(after: str, count: int) -> list[OperationRow]:
        if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise pagination.bad_token()
        return context.database.list_operations(location, project, int(after) if after else None, count)

    return pagination.paginate(
        request, "operations", fetch, lambda row: str(row.number), lambda row: _serialize(context, row)
    )


async def cancel(request: Request) -> dict[str, Any]:
    """operations.cancel: best effort, as in the service; a finished operation is not changed."""
    get_context(request).version_creator.cancel(_require_operation(request))
    return {}


def build_running_operation(
    context: AppContext, kind: OperationType, key: VersionKey, version: Version
) -> OperationRow:
    """Build an Operation that starts now; the caller stores it."""
    return _build(context, kind, key, version, version.labels, done=False)


def build_done_operation(
    context: AppContext,
    kind: OperationType,
    key: ModelKey,
    version: Version | None = None,
    labels: Mapping[str, str] | None = None,
    response: Mapping[str, Any] = google_json.EMPTY,
) -> OperationRow:
    """Build a finished Operation; the transaction that stores it also does its work."""
    row = _build(context, kind, key, version, labels, done=True)
    return dataclasses.replace(row, operation=row.operation.replace(done=True, response=response))


def _build(
    context: AppContext,
    kind: OperationType,
    key: ModelKey,
    version: Version | None,
    labels: Mapping[str, str] | None,
    *,
    done: bool,
) -> OperationRow:
    moment = context.clock()
    now = google_json.timestamp(moment)
    version_id = key.version if isinstance(key, VersionKey) else None
    stem = "_".join(filter(None, (kind.partition("_")[0].lower(), key.model, version_id)))
    name = context.database.unused_operation_id(key.location, key.project, stem, int(moment.timestamp() * 1000))
    metadata = OperationMetadata(
        createTime=now,
        startTime=now,
        endTime=now if done else None,
        operationType=kind,
        modelName=ModelKey(key.location, key.project, key.model).name,
        version=version,
        projectNumber=get_project_number(key.project),
        labels=labels,
    )
    operation = Operation(f"projects/{key.project}/operations/{name}", metadata)
    return OperationRow(key.location, key.project, key.model, version_id, operation)


def _require_operation(request: Request) -> OperationRow:
    path = request.path_params
    operation = path["operation"]
    # `projects/P/locations/L/operations/O` names the endpoint; otherwise the endpoint of the request counts.
    location: str = path.get("location") or request.scope["location"]
    row = get_context(request).database.get_operation(location, path["project"], operation)
    if row is None:
        raise error_responses.no_operation(operation)
    return row


def _serialize(context: AppContext, row: OperationRow) -> dict[str, Any]:
    return serializers.operation(row, context.version_creator.progress(row))

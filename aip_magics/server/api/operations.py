"""projects.operations: get, list, cancel; and how an Operation is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from aip_magics.server.api.projects import number_of
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import error_responses, google_json, pagination
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state import serializers
from aip_magics.server.state.database import OperationRow
from aip_magics.spec import Operation, OperationMetadata, OperationType, Version

GCLOUD = "google-cloud-sdk"
GCLOUD_SECONDS = 10.0


async def get(request: Request) -> dict[str, Any]:
    row = _existing(request)
    if request.headers.get("user-agent", "").startswith(GCLOUD) and not row.operation.done:
        # gcloud asks at once and then every 5 s: a version that is up in half a second would take it five.
        await get_context(request).creations.settled(row, GCLOUD_SECONDS)
        row = _existing(request)
    return _shown(get_context(request), row)


async def list_(request: Request) -> dict[str, Any]:
    service, location, project = get_context(request), request.scope["location"], request.path_params["project"]

    def fetch(after: str, count: int) -> list[OperationRow]:
        if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise pagination.bad_token()
        return service.store.operations(location, project, int(after or 0), count)

    return pagination.paginate(
        request, "operations", fetch, lambda row: str(row.number), lambda row: _shown(service, row)
    )


async def cancel(request: Request) -> dict[str, Any]:
    """Best effort, as at the service: a done operation stays as it is."""
    get_context(request).creations.cancel(_existing(request))
    return {}


def begun(service: AppContext, kind: OperationType, key: VersionKey, version: Version) -> OperationRow:
    """An Operation that begins now; not yet in the store."""
    return _new(service, kind, key, version, version.labels, done=False)


def finished(
    service: AppContext,
    kind: OperationType,
    key: ModelKey,
    version: Version | None = None,
    labels: Mapping[str, str] | None = None,
    response: Mapping[str, Any] = google_json.EMPTY,
) -> OperationRow:
    """An Operation whose work is done with the transaction that stores it."""
    row = _new(service, kind, key, version, labels, done=True)
    return dataclasses.replace(row, operation=row.operation.replace(done=True, response=response))


def _new(
    service: AppContext,
    kind: OperationType,
    key: ModelKey,
    version: Version | None,
    labels: Mapping[str, str] | None,
    *,
    done: bool,
) -> OperationRow:
    moment = service.clock()
    now = google_json.timestamp(moment)
    version_id = key.version if isinstance(key, VersionKey) else None
    stem = "_".join(filter(None, (kind.partition("_")[0].lower(), key.model, version_id)))
    name = service.store.unused_operation_id(key.location, key.project, stem, int(moment.timestamp() * 1000))
    metadata = OperationMetadata(
        createTime=now,
        startTime=now,
        endTime=now if done else None,
        operationType=kind,
        modelName=ModelKey(key.location, key.project, key.model).name,
        version=version,
        projectNumber=number_of(key.project),
        labels=labels,
    )
    operation = Operation(f"projects/{key.project}/operations/{name}", metadata)
    return OperationRow(key.location, key.project, key.model, version_id, operation)


def _existing(request: Request) -> OperationRow:
    path = request.path_params
    operation = path["operation"]
    # `projects/P/locations/L/operations/O` names the endpoint itself; else it is the one that was asked.
    location: str = path.get("location") or request.scope["location"]
    row = get_context(request).store.operation(location, path["project"], operation)
    if row is None:
        raise error_responses.no_operation(operation)
    return row


def _shown(service: AppContext, row: OperationRow) -> dict[str, Any]:
    return serializers.operation(row, service.creations.progress(row))

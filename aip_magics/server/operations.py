"""projects.operations: get, list, cancel; and how an Operation is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from aip_magics.server import listing, problems, show, wire
from aip_magics.server.context import Service, service_of
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.projects import number_of
from aip_magics.server.store import OperationRow
from aip_magics.spec import Operation, OperationMetadata, OperationType, Version

GCLOUD = "google-cloud-sdk"
GCLOUD_SECONDS = 10.0


async def get(request: Request) -> dict[str, Any]:
    row = _existing(request)
    if request.headers.get("user-agent", "").startswith(GCLOUD) and not row.operation.done:
        # gcloud asks at once and then every 5 s: a version that is up in half a second would take it five.
        await service_of(request).creations.settled(row, GCLOUD_SECONDS)
        row = _existing(request)
    return _shown(service_of(request), row)


async def list_(request: Request) -> dict[str, Any]:
    service, location, project = service_of(request), request.scope["location"], request.path_params["project"]

    def fetch(after: str, count: int) -> list[OperationRow]:
        if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise listing.bad_token()
        return service.store.operations(location, project, int(after or 0), count)

    return listing.listed(request, "operations", fetch, lambda row: str(row.number), lambda row: _shown(service, row))


async def cancel(request: Request) -> dict[str, Any]:
    """Best effort, as at the service: a done operation stays as it is."""
    service_of(request).creations.cancel(_existing(request))
    return {}


def begun(service: Service, kind: OperationType, key: VersionKey, version: Version) -> OperationRow:
    """An Operation that begins now; not yet in the store."""
    return _new(service, kind, key, version, version.labels, done=False)


def finished(
    service: Service,
    kind: OperationType,
    key: ModelKey,
    version: Version | None = None,
    labels: Mapping[str, str] | None = None,
    response: Mapping[str, Any] = wire.EMPTY,
) -> OperationRow:
    """An Operation whose work is done with the transaction that stores it."""
    row = _new(service, kind, key, version, labels, done=True)
    return dataclasses.replace(row, operation=row.operation.replace(done=True, response=response))


def _new(
    service: Service,
    kind: OperationType,
    key: ModelKey,
    version: Version | None,
    labels: Mapping[str, str] | None,
    *,
    done: bool,
) -> OperationRow:
    moment = service.clock()
    now = wire.timestamp(moment)
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
    row = service_of(request).store.operation(location, path["project"], operation)
    if row is None:
        raise problems.no_operation(operation)
    return row


def _shown(service: Service, row: OperationRow) -> dict[str, Any]:
    return show.operation(row, service.creations.progress(row))

"""projects.operations: get, list, cancel; and how an Operation is made."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aip_magics.errors import InvalidArgument
from aip_magics.server import problems, show, wire
from aip_magics.server.context import Service, service_of
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.problems import violation
from aip_magics.server.store import OperationRow
from aip_magics.spec import Operation, OperationMetadata, OperationType, Version


async def get(request: Request) -> Response:
    return JSONResponse(show.operation(_existing(request)))


async def list_(request: Request) -> Response:
    size, after = wire.page(request)
    if not (after or "0").isdecimal():
        raise violation(InvalidArgument, "page_token", "The page token is not one that a list has given.")
    location, project = request.scope["location"], request.path_params["project"]
    rows = service_of(request).store.operations(location, project, int(after or 0), size + 1)
    return wire.paged("operations", rows, size, lambda row: str(row.number), show.operation)


async def cancel(request: Request) -> Response:
    """Best effort, as at the service: a done operation stays as it is."""
    service_of(request).creations.cancel(_existing(request))
    return JSONResponse({})


def begun(service: Service, kind: OperationType, key: VersionKey, version: Version) -> OperationRow:
    """An Operation that begins now; not yet in the store."""
    return _new(service, kind, key, version, version.labels, done=False)


def finished(
    service: Service,
    kind: OperationType,
    key: ModelKey,
    version: Version | None = None,
    labels: Mapping[str, str] | None = None,
) -> OperationRow:
    """An Operation whose work is done with the transaction that stores it; its response is Empty."""
    return _new(service, kind, key, version, labels, done=True)


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
        labels=labels,
    )
    operation = Operation(f"projects/{key.project}/operations/{name}", metadata)
    if done:
        operation = operation.replace(done=True, response=wire.EMPTY)
    return OperationRow(key.location, key.project, key.model, version_id, operation)


def _existing(request: Request) -> OperationRow:
    project, operation = request.path_params["project"], request.path_params["operation"]
    row = service_of(request).store.operation(request.scope["location"], project, operation)
    if row is None:
        raise problems.no_operation(operation)
    return row

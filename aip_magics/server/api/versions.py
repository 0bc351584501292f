"""projects.models.versions: create, get, list, patch, delete, setDefault, and what really serves a version."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.api import models
from aip_magics.server.api.operations import begun, finished
from aip_magics.server.context import AppContext, get_context, model_key, version_key
from aip_magics.server.conventions import (
    error_responses,
    etags,
    field_masks,
    google_json,
    pagination,
    request_parsing,
    scaling_validation,
    validation,
)
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import VersionKey
from aip_magics.server.state import quotas, serializers, version_packages
from aip_magics.server.state.database import OperationRow, VersionRow
from aip_magics.server.state.model_snapshots import list_model_files
from aip_magics.server.version_creation import NEEDS_TRUST
from aip_magics.spec import Version

PYTHON_HEADER = "X-Aip-Magics-Python"
FRAMEWORKS = ("TENSORFLOW", "SCIKIT_LEARN", "XGBOOST")
BUSY = ("CREATING", "DELETING", "UPDATING")

# gcloud's `versions update` sends labels and maxNodes too.
PATCHABLE = (
    "description",
    "labels",
    *scaling_validation.PATCHABLE,
    "requestLoggingConfig",
    "requestLoggingConfig.bigqueryTableName",
    "requestLoggingConfig.samplingPercentage",
)


async def create(request: Request) -> dict[str, Any]:
    """Answers with an Operation at once; the work is done in the background."""
    service = get_context(request)
    given = await request_parsing.parse_resource(request, Version, "version")
    model = models.existing(service.store, model_key(request)).key
    key = model.child(validation.resource_id("version.name", given.name))
    version = validation.version(given, model)
    python = _python(request, service)
    failed = service.store.version(key)
    if failed is not None and failed.version.state == "FAILED" and failed.runtime.get(NEEDS_TRUST):
        # It failed for want of consent only: the same call, said again once there is some, takes its place.
        await _remove(service, failed)
    if service.store.version(key) is None:  # else the store says that the name is taken; the files do not matter
        version = await asyncio.to_thread(_look_at_files, service, version)
        if not version.predictionClass:
            await asyncio.to_thread(service.warm, python, version.framework)
    # From here on nothing is awaited: what is counted is what is there.
    models.existing(service.store, model)  # may have been deleted meanwhile
    if service.store.version(key) is None:
        quotas.one_more_version(service.store, key)
        quotas.one_more_operation(service.store, key)
    version = version.replace(state="CREATING", createTime=google_json.timestamp(service.clock()))
    row = VersionRow(key, version, python)
    operation = begun(service, "CREATE_VERSION", key, serializers.version(row).replace(state=None))
    service.store.create_version(row, operation)
    stored = service.store.operation(operation.location, operation.project, operation.id)
    assert stored is not None
    service.creations.begin(stored)
    return serializers.operation(stored, service.creations.progress(stored))


async def get(request: Request) -> dict[str, Any]:
    service = get_context(request)
    service.last_use.write()
    return serializers.version(existing(service, version_key(request))).to_json()


async def list_(request: Request) -> dict[str, Any]:
    service = get_context(request)
    service.last_use.write()
    model = models.existing(service.store, model_key(request)).key
    return pagination.paginate(
        request,
        "versions",
        lambda after, count: service.store.versions(model, after, count),
        lambda row: row.key.version,
        lambda row: serializers.version(row).to_json(),
    )


async def patch(request: Request) -> dict[str, Any]:
    """The Operation is done when it is answered; nodes are started and ended after that."""
    service = get_context(request)
    given = await request_parsing.parse_resource(request, Version, "version")
    paths = field_masks.from_request(request, PATCHABLE)
    # From here on nothing is awaited: what is read is what is changed.
    row = existing(service, version_key(request))
    if row.version.state in BUSY:
        raise error_responses.not_while(str(row.version.state), "updated")
    etags.check_etag("version.etag", given.etag, serializers.version(row).etag or "")
    changed = scaling_validation.one_kind(field_masks.apply(row.version, given, paths), paths)
    changed = changed.replace(description=changed.description or None, labels=changed.labels or None)
    validation.patched(changed, row.key, paths)
    shown = serializers.version(dataclasses.replace(row, version=changed))
    operation = finished(service, "UPDATE_VERSION", row.key, shown, changed.labels, serializers.response(shown))
    service.store.update_version(row.key, changed, operation)
    if scaling_validation.differ(row.version, changed):
        service.nodes.rescale(row.key, changed)
    if changed.requestLoggingConfig != row.version.requestLoggingConfig:
        service.request_logs.of(row.key).log_requests(changed.requestLoggingConfig)
    return serializers.operation(operation)


async def delete(request: Request) -> dict[str, Any]:
    """The default version goes only when it is the last one. The Operation is done when it is answered."""
    service = get_context(request)
    row = existing(service, version_key(request))
    if row.version.state in BUSY:
        raise error_responses.not_while(str(row.version.state), "deleted")
    if row.is_default and service.store.has_versions(row.key.parent, besides=row.key.version):
        text = "The default version cannot be deleted while the model has others. Please make another one the default."
        raise violation(FailedPrecondition, "name", text)
    return serializers.operation(await _remove(service, row))


async def set_default(request: Request) -> dict[str, Any]:
    service = get_context(request)
    await request_parsing.parse_resource(request, request_parsing.EmptyRequest)
    row = existing(service, version_key(request))
    error_responses.must_be_ready(row.version.state)
    service.store.set_default(row.key)
    return serializers.version(existing(service, row.key)).to_json()


async def runtime(request: Request) -> dict[str, Any]:
    """Our own extension: the Python that serves the version, what it imported, what its worker cannot reach."""
    row = existing(get_context(request), version_key(request))
    return {"python": row.python, **row.runtime}


async def warm(request: Request) -> dict[str, Any]:
    """Our own extension: have a framework imported while the caller still uploads the model that needs it."""
    service = get_context(request)
    framework = (await google_json.read_json(request)).get("framework")
    if framework not in FRAMEWORKS:
        raise violation(InvalidArgument, "framework", f"One of {', '.join(FRAMEWORKS)} is wanted, not {framework!r}.")
    await asyncio.to_thread(service.warm, _python(request, service), framework)
    return {}


async def _remove(service: AppContext, row: VersionRow) -> OperationRow:
    quotas.one_more_operation(service.store, row.key)
    operation = finished(service, "DELETE_VERSION", row.key, serializers.version(row), row.version.labels)
    service.store.delete_version(row.key, operation)
    service.last_use.forget(row.key)
    await service.nodes.close(row.key)
    await service.creations.release(row)
    return operation


def existing(service: AppContext, key: VersionKey) -> VersionRow:
    row = service.store.version(key)
    if row is None:
        models.existing(service.store, key.parent)
        raise error_responses.no_version(key.version, key.model)
    return row


def _look_at_files(service: AppContext, version: Version) -> Version:
    """The framework from the files' names; refuses a missing package, a directory that holds no single model."""
    version_packages.files_of(service.objects, version)
    files = list_model_files(service.objects, version.deploymentUri or "")
    names, sizes = [name for name, _ in files], [obj.size for _, obj in files]
    return version.replace(framework=validation.framework_of(version, names, sizes))


def _python(request: Request, service: AppContext) -> str:
    """The interpreter that shall serve the version: the caller's own, or the server's for callers that name none."""
    header = request.headers.get(PYTHON_HEADER)
    if header is None:
        return service.python
    given = unquote(header)  # a header carries ASCII only; a home directory may be named otherwise
    path = Path(given)
    if not (path.is_absolute() and path.is_file() and os.access(path, os.X_OK)):
        raise InvalidArgument(f"{PYTHON_HEADER}: {given!r} is not the absolute path of a Python interpreter.")
    return given

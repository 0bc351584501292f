"""projects.models.versions: create, get, list, patch, delete, setDefault; and the extensions `:runtime` and `warm`."""

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
from aip_magics.server.api.operations import build_done_operation, build_running_operation
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
from aip_magics.server.state.database import VersionRow
from aip_magics.server.state.model_snapshots import list_model_files
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.version_creation import NEEDS_TRUST
from aip_magics.spec import Version

PYTHON_HEADER = "X-Aip-Magics-Python"
FRAMEWORKS = ("TENSORFLOW", "SCIKIT_LEARN", "XGBOOST")
BUSY = ("CREATING", "DELETING", "UPDATING")

# gcloud's `versions update` also sends labels and maxNodes.
PATCHABLE = (
    "description",
    "labels",
    *scaling_validation.PATCHABLE,
    "requestLoggingConfig",
    "requestLoggingConfig.bigqueryTableName",
    "requestLoggingConfig.samplingPercentage",
)


async def create(request: Request) -> dict[str, Any]:
    """versions.create: returns a running Operation; the version is created in the background."""
    context = get_context(request)
    requested = await request_parsing.parse_resource(request, Version, "version")
    model = models.require_model(context.database, model_key(request)).key
    key = model.child(validation.check_resource_id("version.name", requested.name))
    version = validation.validate_version(requested, model)
    python = requested_python(request, context)
    failed = context.database.get_version(key)
    if failed is not None and failed.version.state == "FAILED" and failed.runtime.get(NEEDS_TRUST):
        # Only trust was missing: the repeated call, now with trust, replaces the failed version.
        await _remove(context, failed)
    if context.database.get_version(key) is None:  # otherwise the database reports that the name is taken
        version = await asyncio.to_thread(_inspect_files, context, version, requested.machineType)
        if not version.predictionClass:
            await asyncio.to_thread(context.warm, python, version.framework)
    # No await from here on: the counted rows must not change before the insert.
    models.require_model(context.database, model)  # may have been deleted in the meantime
    if context.database.get_version(key) is None:
        if requested.machineType:  # otherwise this machine has room for as many as it has
            quotas.check_version_quota(context.database, key)
        quotas.check_operation_quota(context.database, key)
    version = version.replace(state="CREATING", createTime=google_json.timestamp(context.clock()))
    row = VersionRow(key, version, python)
    operation = build_running_operation(context, "CREATE_VERSION", key, serializers.version(row).replace(state=None))
    context.database.create_version(row, operation)
    stored = context.database.get_operation(operation.location, operation.project, operation.id)
    assert stored is not None
    context.version_creator.start(stored)
    return serializers.operation(stored, context.version_creator.progress(stored))


async def get(request: Request) -> dict[str, Any]:
    """versions.get"""
    context = get_context(request)
    context.last_use.write()
    return serializers.version(require_version(context, version_key(request))).to_json()


async def list_(request: Request) -> dict[str, Any]:
    """versions.list"""
    context = get_context(request)
    context.last_use.write()
    model = models.require_model(context.database, model_key(request)).key
    return pagination.paginate(
        request,
        "versions",
        lambda after, count: context.database.list_versions(model, after, count),
        lambda row: row.key.version,
        lambda row: serializers.version(row).to_json(),
    )


async def patch(request: Request) -> dict[str, Any]:
    """versions.patch: the returned Operation is done; nodes are started and stopped afterwards."""
    context = get_context(request)
    requested = await request_parsing.parse_resource(request, Version, "version")
    paths = field_masks.from_request(request, PATCHABLE)
    # No await from here on: the row must not change between read and update.
    row = require_version(context, version_key(request))
    if row.version.state in BUSY:
        raise error_responses.version_busy(str(row.version.state), "updated")
    etags.check_etag("version.etag", requested.etag, serializers.version(row).etag or "")
    changed = scaling_validation.replace_other_scaling(field_masks.apply(row.version, requested, paths), paths)
    changed = changed.replace(description=changed.description or None, labels=changed.labels or None)
    validation.validate_patch(changed, row.key, paths)
    shown = serializers.version(dataclasses.replace(row, version=changed))
    operation = build_done_operation(
        context, "UPDATE_VERSION", row.key, shown, changed.labels, serializers.response(shown)
    )
    context.database.update_version(row.key, changed, operation)
    if scaling_validation.scaling_differs(row.version, changed):
        context.nodes.rescale(row.key, changed)
    if changed.requestLoggingConfig != row.version.requestLoggingConfig:
        context.request_logs.of(row.key).log_requests(changed.requestLoggingConfig)
    return serializers.operation(operation)


async def delete(request: Request) -> dict[str, Any]:
    """versions.delete: the default version only if it is the last one; the returned Operation is done."""
    context = get_context(request)
    row = require_version(context, version_key(request))
    if row.version.state in BUSY:
        raise error_responses.version_busy(str(row.version.state), "deleted")
    if row.is_default and context.database.has_versions(row.key.parent, besides=row.key.version):
        text = "The default version cannot be deleted while the model has others. Please make another one the default."
        raise violation(FailedPrecondition, "name", text)
    return serializers.operation(await _remove(context, row))


async def set_default(request: Request) -> dict[str, Any]:
    """versions.setDefault"""
    context = get_context(request)
    await request_parsing.parse_resource(request, request_parsing.EmptyRequest)
    row = require_version(context, version_key(request))
    error_responses.check_ready(row.version.state)
    context.database.set_default_version(row.key)
    return serializers.version(require_version(context, row.key)).to_json()


async def runtime(request: Request) -> dict[str, Any]:
    """Extension of the API: the Python that serves the version, its imported libraries, its worker's confinement."""
    row = require_version(get_context(request), version_key(request))
    return {"python": row.python, **row.runtime}


async def warm(request: Request) -> dict[str, Any]:
    """Extension of the API: import a framework while the client is uploading the model that needs it."""
    context = get_context(request)
    framework = (await google_json.read_json(request)).get("framework")
    if framework not in FRAMEWORKS:
        raise violation(InvalidArgument, "framework", f"Expected one of {', '.join(FRAMEWORKS)}, got {framework!r}.")
    await asyncio.to_thread(context.warm, requested_python(request, context), framework)
    return {}


async def _remove(context: AppContext, row: VersionRow) -> OperationRow:
    quotas.check_operation_quota(context.database, row.key)
    operation = build_done_operation(context, "DELETE_VERSION", row.key, serializers.version(row), row.version.labels)
    context.database.delete_version(row.key, operation)
    context.last_use.forget(row.key)
    await context.nodes.close(row.key)
    await context.version_creator.release(row)
    return operation


def require_version(context: AppContext, key: VersionKey) -> VersionRow:
    """Return the version; NotFound when it or its model does not exist."""
    row = context.database.get_version(key)
    if row is None:
        models.require_model(context.database, key.parent)
        raise error_responses.no_version(key.version, key.model)
    return row


def _inspect_files(context: AppContext, version: Version, machine_type: str | None) -> Version:
    """Detect the framework from the file names; FailedPrecondition without packages or exactly one model file."""
    version_packages.list_package_files(context.object_store, version)
    files = list_model_files(context.object_store, version.deploymentUri or "")
    names, sizes = [name for name, _ in files], [obj.size for _, obj in files]
    return version.replace(framework=validation.detect_framework(version, names, sizes, machine_type))


def requested_python(request: Request, context: AppContext) -> str:
    """Return the interpreter that will serve the version: the client's, by default the server's."""
    header = request.headers.get(PYTHON_HEADER)
    if header is None:
        return context.python
    python = unquote(header)  # headers are ASCII only; the path may have other characters
    path = Path(python)
    if not (path.is_absolute() and path.is_file() and os.access(path, os.X_OK)):
        raise InvalidArgument(f"{PYTHON_HEADER}: {python!r} is not the absolute path of a Python interpreter.")
    return python

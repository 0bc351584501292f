"""projects.models.versions: create, get, list, delete, setDefault, and what really serves a version."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server import models, packages, problems, show, validate, wire
from aip_magics.server.context import Service, model_key, service_of, version_key
from aip_magics.server.copies import files_of
from aip_magics.server.names import VersionKey
from aip_magics.server.operations import begun, finished
from aip_magics.server.problems import violation
from aip_magics.server.store import VersionRow
from aip_magics.spec import Version

PYTHON_HEADER = "X-Aip-Magics-Python"
FRAMEWORKS = ("TENSORFLOW", "SCIKIT_LEARN", "XGBOOST")
BUSY = ("CREATING", "DELETING", "UPDATING")


async def create(request: Request) -> Response:
    """Answers with an Operation at once; the work is done in the background."""
    service = service_of(request)
    given = Version.from_json(await wire.read_json(request))
    model = models.existing(service.store, model_key(request)).key
    key = model.child(validate.resource_id("version.name", given.name))
    version = validate.version(given, model)
    python = _python(request, service)
    if service.store.version(key) is None:  # else the store says that the name is taken; the files do not matter
        version = await asyncio.to_thread(_look_at_files, service, version)
        if not version.predictionClass:
            await asyncio.to_thread(service.warm, python, version.framework)
    version = version.replace(state="CREATING", createTime=wire.timestamp(service.clock()))
    row = VersionRow(key, version, python)
    operation = begun(service, "CREATE_VERSION", key, show.version(row).replace(state=None))
    service.store.create_version(row, operation)
    stored = service.store.operation(operation.location, operation.project, operation.id)
    assert stored is not None
    service.creations.begin(stored)
    return JSONResponse(show.operation(stored))


async def get(request: Request) -> Response:
    return JSONResponse(show.version(_existing(service_of(request), version_key(request))).to_json())


async def list_(request: Request) -> Response:
    store = service_of(request).store
    model = models.existing(store, model_key(request))
    size, after = wire.page(request)
    rows = store.versions(model.key, after, size + 1)
    return wire.paged("versions", rows, size, lambda row: row.key.version, lambda row: show.version(row).to_json())


async def delete(request: Request) -> Response:
    """The default version goes only when it is the last one. The Operation is done when it is answered."""
    service = service_of(request)
    row = _existing(service, version_key(request))
    if row.version.state in BUSY:
        raise problems.not_while(str(row.version.state), "deleted")
    if row.is_default and service.store.has_versions(row.key.parent, besides=row.key.version):
        text = "The default version cannot be deleted while the model has others. Please make another one the default."
        raise violation(FailedPrecondition, "name", text)
    operation = finished(service, "DELETE_VERSION", row.key, show.version(row), row.version.labels)
    service.store.delete_version(row.key, operation)
    await service.nodes.close(row.key)
    await service.creations.release(row)
    return JSONResponse(show.operation(operation))


async def set_default(request: Request) -> Response:
    service = service_of(request)
    await wire.read_json(request)
    row = _existing(service, version_key(request))
    if row.version.state != "READY":
        text = f"Only a version in state READY can be made the default; this one is {row.version.state}."
        raise violation(FailedPrecondition, "name", text)
    service.store.set_default(row.key)
    return JSONResponse(show.version(_existing(service, row.key)).to_json())


async def runtime(request: Request) -> Response:
    """Our own extension: the Python that serves the version and the libraries it imported."""
    row = _existing(service_of(request), version_key(request))
    return JSONResponse({"python": row.python, **row.runtime})


async def warm(request: Request) -> Response:
    """Our own extension: have a framework imported while the caller still uploads the model that needs it."""
    service = service_of(request)
    framework = (await wire.read_json(request)).get("framework")
    if framework not in FRAMEWORKS:
        raise violation(InvalidArgument, "framework", f"One of {', '.join(FRAMEWORKS)} is wanted, not {framework!r}.")
    await asyncio.to_thread(service.warm, _python(request, service), framework)
    return JSONResponse({})


def _existing(service: Service, key: VersionKey) -> VersionRow:
    row = service.store.version(key)
    if row is None:
        models.existing(service.store, key.parent)
        raise problems.no_version(key.version, key.model)
    return row


def _look_at_files(service: Service, version: Version) -> Version:
    """The framework from the files' names; refuses a missing package, a directory that holds no single model."""
    packages.files_of(service.objects, version)
    files = files_of(service.objects, version.deploymentUri or "")
    names, sizes = [name for name, _ in files], [obj.size for _, obj in files]
    return version.replace(framework=validate.framework_of(version, names, sizes))


def _python(request: Request, service: Service) -> str:
    """The interpreter that shall serve the version: the caller's own, or the server's for callers that name none."""
    header = request.headers.get(PYTHON_HEADER)
    if header is None:
        return service.python
    given = unquote(header)  # a header carries ASCII only; a home directory may be named otherwise
    path = Path(given)
    if not (path.is_absolute() and path.is_file() and os.access(path, os.X_OK)):
        raise InvalidArgument(f"{PYTHON_HEADER}: {given!r} is not the absolute path of a Python interpreter.")
    return given

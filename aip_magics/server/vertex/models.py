"""projects.locations.models: upload, get, list, patch, delete."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request

from aip_magics.errors import AlreadyExists, FailedPrecondition
from aip_magics.server.api.versions import requested_python
from aip_magics.server.context import AppContext, get_context
from aip_magics.server.conventions import etags, field_masks, validation
from aip_magics.server.conventions.google_json import EMPTY
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database
from aip_magics.server.state.vertex_models_table import VertexModelRow, VertexVersionRow
from aip_magics.server.vertex import error_texts, images, listing, model_files, model_rules, model_views
from aip_magics.server.vertex.bodies import parse_body
from aip_magics.server.vertex.model_views import DEFAULT_ALIAS, Deployments, FoundModel
from aip_magics.server.vertex.names import Parent, model_name, new_id, parent_of, parse_model_name
from aip_magics.server.vertex.operations import build_done_operation, serialize, timestamp
from aip_magics.server.vertex.resources import API, Model, UploadModelRequest

# What the versions of a model share; labels can be of the model and of a version.
SHARED = ("displayName", "description", "labels")
VERSION_PATCHABLE = ("versionDescription", "labels")


async def upload(request: Request) -> dict[str, Any]:
    """models.upload: a new model, or the next version of one; the returned Operation is done.

    The files get a snapshot before anything is stored, as the service copies them: no request sees half an upload.
    """
    context, parent = get_context(request), parent_of(request)
    body = await parse_body(request, UploadModelRequest)
    model, image_uri = model_rules.validate_upload(body)
    key = _requested_key(body, parent)
    _check_parent(context, body, key)
    python = requested_python(request, context)
    image = images.find(context, image_uri)
    serving, lists = await asyncio.to_thread(model_files.list_files, context.object_store, model.artifactUri, image)
    if serving.framework:
        await asyncio.to_thread(context.warm, python, serving.framework)

    def store(snapshots: Sequence[str]) -> dict[str, Any]:
        # In the event loop, without an await: no other upload gets the same number, and the model is still there.
        found = _check_parent(context, body, key)
        now = timestamp(context.clock())
        number = found.row.next_version if found else 1
        artifact, packages = snapshots[0], snapshots[1] if len(snapshots) > 1 else None
        document = _version_document(model, now, shared=found is None)
        row = VertexVersionRow(key, number, document, serving, python, artifact, packages)
        shared = dict(found.row.document) if found else _shared_document(model, now)
        response = {"@type": f"{API}UploadModelResponse", "model": model_name(key), "modelVersionId": str(number)}
        metadata = "UploadModelOperationMetadata"
        operation = build_done_operation(context, key, f"models/{key.model}", metadata, response)
        with context.database.transaction():
            context.database.vertex_models.put(VertexModelRow(key, number + 1, shared))
            set_aliases(context.database, found, row, list(model.versionAliases or ()))
            context.database.insert_operation(operation)
        return serialize(context, operation)

    return await context.version_creator.snapshots.create_for(lists, store)


async def get(request: Request) -> dict[str, Any]:
    """models.get: the default version, or the one that the name has."""
    found, version = model_views.model_of(request)
    deployments = Deployments(get_context(request).database, parent_of(request))
    return model_views.show(found, found.require(version), deployments, versioned=bool(version))


async def list_(request: Request) -> dict[str, Any]:
    """models.list: the default version of each model, the newest model first."""
    database, parent = get_context(request).database, parent_of(request)
    deployments = Deployments(database, parent)
    shown = []
    for row in database.vertex_models.list_in(parent.location, parent.project):
        found = FoundModel(row, tuple(database.vertex_models.list_versions(row.key)))
        shown.append(model_views.show(found, found.require(), deployments))
    return listing.list_resources(request, "models", shown, lambda model: model["name"].rpartition("/")[2], "model")


async def patch(request: Request) -> dict[str, Any]:
    """models.patch: of the model, or of the version that the name has."""
    context = get_context(request)
    body = await parse_body(request, Model, "model")
    # No await from here on: the rows must not change between read and update.
    found, version = model_views.model_of(request)
    if version == "-":  # `M@-` is the model, too
        version = ""
    row = found.require(version)
    paths = field_masks.from_request(request, VERSION_PATCHABLE if version else SHARED)
    deployments = Deployments(context.database, parent_of(request))
    _check_etag(body.etag, found, row, deployments)
    validation.validate_labels(body.labels)
    if "displayName" in paths:
        model_rules.check_display_name("model.display_name", body.displayName)
    now = timestamp(context.clock())
    changes = {path: body.to_json().get(path) or None for path in paths}
    if version:
        row = dataclasses.replace(row, document=_merge(row.document, {**changes, "versionUpdateTime": now}))
        context.database.vertex_models.put_version(row)
    else:
        changed = dataclasses.replace(found.row, document=_merge(found.row.document, {**changes, "updateTime": now}))
        context.database.vertex_models.put(changed)
        found = dataclasses.replace(found, row=changed)
    return model_views.show(found, row, deployments, versioned=bool(version))


async def delete(request: Request) -> dict[str, Any]:
    """models.delete: the model with all its versions; the returned Operation is done."""
    context = get_context(request)
    found, version = model_views.model_of(request)
    if version:
        raise error_texts.field_error("name", "The name of a model has no version; use deleteVersion for a version.")
    check_not_deployed(context, found.versions)
    key = found.row.key
    operation = build_done_operation(context, key, f"models/{key.model}", "DeleteOperationMetadata", EMPTY)
    with context.database.transaction():
        context.database.vertex_models.delete(key)
        context.database.insert_operation(operation)
    await context.version_creator.release(*found.versions)
    return serialize(context, operation)


def check_not_deployed(context: AppContext, versions: Sequence[VertexVersionRow]) -> None:
    """Raise FailedPrecondition when one of the versions of a model is deployed, or being deployed, to an endpoint."""
    key = versions[0].key
    deployed = Deployments(context.database, Parent(key.location, key.project)).of(versions)
    endpoints = [ref["endpoint"] for ref in deployed] + model_views.list_deploying(context.database, versions)
    if endpoints:
        names = ", ".join(dict.fromkeys(endpoints))
        text = f"The Model is deployed or being deployed at the following Endpoint(s): {names}."
        raise FailedPrecondition(f"{text} Please undeploy the model before retry.")


def set_aliases(
    database: Database,
    found: FoundModel | None,
    row: VertexVersionRow,
    added: Sequence[str],
    removed: Iterable[str] = (),
) -> None:
    """Move aliases to a version of a model, in a transaction. The first version, `found` None, is the default one."""
    aliases = dict.fromkeys([*row.aliases, *added, *(() if found else (DEFAULT_ALIAS,))])
    for alias in removed:
        aliases.pop(alias, None)
    for other in found.versions if found else ():
        if other.version != row.version and not aliases.keys().isdisjoint(other.aliases):
            kept = [alias for alias in other.aliases if alias not in aliases]
            database.vertex_models.put_version(
                dataclasses.replace(other, document=_merge(other.document, {"versionAliases": kept or None}))
            )
    changed = dataclasses.replace(row, document=_merge(row.document, {"versionAliases": list(aliases) or None}))
    database.vertex_models.put_version(changed)


def _requested_key(body: UploadModelRequest, parent: Parent) -> ModelKey:
    """Return the key of the model that is uploaded to."""
    if body.parentModel:
        key, _version = parse_model_name("parent_model", body.parentModel, parent)
        if body.modelId and body.modelId != key.model:
            text = f"The parent model is {key.model!r}: omit the id, or give the same."
            raise error_texts.field_error("model_id", text)
        return key
    return parent.child(body.modelId or new_id())


def _check_parent(context: AppContext, body: UploadModelRequest, key: ModelKey) -> FoundModel | None:
    """Return the parent model, None for a new model; NotFound without the parent, AlreadyExists without parentModel."""
    if body.parentModel:
        return model_views.require_model(context.database, key)
    if context.database.vertex_models.get(key) is not None:
        text = f"Model {model_name(key)} already exists. To add a version to it, set parent_model."
        raise AlreadyExists(text)
    return None


def _check_etag(etag: str | None, found: FoundModel, row: VertexVersionRow, deployments: Deployments) -> None:
    """Raise ABORTED unless the etag is the current one, of the version or of another: the SDK reads any of them."""
    if etag and etag not in {model_views.show(found, version, deployments)["etag"] for version in found.versions}:
        etags.check_etag("model.etag", etag, model_views.show(found, row, deployments)["etag"])


def _shared_document(model: Model, now: str) -> dict[str, Any]:
    data = model.to_json()
    return _merge({"createTime": now, "updateTime": now}, {name: data.get(name) or None for name in SHARED})


def _version_document(model: Model, now: str, *, shared: bool) -> dict[str, Any]:
    """Return the version's part of the Model. The labels of the first version are those of the model."""
    dropped = dict.fromkeys(["name", "etag", "versionAliases", "displayName", "description"])
    data = model.replace(**dropped, labels=None if shared else model.labels or None).to_json()
    return {**data, "versionCreateTime": now, "versionUpdateTime": now}


def _merge(document: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the document with changed members; None removes a member."""
    return {name: value for name, value in {**document, **changes}.items() if value is not None}

"""Versions of models: listVersions, mergeVersionAliases, deleteVersion."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition
from aip_magics.server.context import get_context
from aip_magics.server.conventions.google_json import EMPTY
from aip_magics.server.vertex import error_texts, listing, model_rules, model_views, models
from aip_magics.server.vertex.bodies import parse_body
from aip_magics.server.vertex.model_views import DEFAULT_ALIAS, Deployments
from aip_magics.server.vertex.names import parent_of
from aip_magics.server.vertex.operations import build_done_operation, serialize
from aip_magics.server.vertex.resources import MergeVersionAliasesRequest

ORDER_FIELDS = {"createTime": "versionCreateTime", "updateTime": "versionUpdateTime"}


async def list_(request: Request) -> dict[str, Any]:
    """models.listVersions, the oldest first."""
    found, _version = model_views.model_of(request)
    deployments = Deployments(get_context(request).database, parent_of(request))
    shown = [model_views.show(found, row, deployments, versioned=True) for row in found.versions]
    return listing.list_resources(
        request, "models", shown, lambda model: model["versionId"].zfill(19), "version", ORDER_FIELDS, "create_time"
    )


async def merge_aliases(request: Request) -> dict[str, Any]:
    """models.mergeVersionAliases: `alias` moves an alias to the version, `-alias` removes it."""
    context = get_context(request)
    body = await parse_body(request, MergeVersionAliasesRequest)
    # No await from here on: the rows must not change between read and update.
    found, row = model_views.version_of(request)
    given = body.versionAliases or ()
    if not given:
        raise error_texts.field_error("version_aliases", "Required field is not set.")
    for alias in given:
        model_rules.check_alias("version_aliases", alias.removeprefix("-"))
    removed = {alias[1:] for alias in given if alias.startswith("-")}
    added = [alias for alias in given if not alias.startswith("-")]
    both = removed & set(added)  # cancel each other out
    if DEFAULT_ALIAS in removed - both and DEFAULT_ALIAS in row.aliases:
        text = "The default alias cannot be removed: a model has exactly one. Assign it to another version instead."
        raise error_texts.field_error("version_aliases", text)
    moved = [alias for alias in added if alias not in both]
    with context.database.transaction():
        models.set_aliases(context.database, found, row, moved, removed - both)
    found = model_views.require_model(context.database, found.row.key)
    deployments = Deployments(context.database, parent_of(request))
    return model_views.show(found, found.require(str(row.version)), deployments, versioned=True)


async def delete(request: Request) -> dict[str, Any]:
    """models.deleteVersion: not the last version, the default one or a deployed one; the Operation is done."""
    context = get_context(request)
    found, row = model_views.version_of(request)
    if len(found.versions) == 1:
        raise FailedPrecondition(
            "Deleting the only version in the Model is not allowed. Use DeleteModel for deleting the Model instead."
        )
    models.check_not_deployed(context, [row])
    if DEFAULT_ALIAS in row.aliases:
        text = f"Version {row.version} is the default version of the Model. Assign the alias default to another version"
        raise FailedPrecondition(f"{text} before deleting it.")
    key = row.key
    operation = build_done_operation(context, key, f"models/{key.model}", "DeleteOperationMetadata", EMPTY)
    with context.database.transaction():
        context.database.vertex_models.delete_version(row)
        context.database.insert_operation(operation)
    await context.version_creator.release(row)
    return serialize(context, operation)

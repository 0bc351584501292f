"""Handlers of objects: get, list, patch, update, delete, compose, rewrite, copy."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from aip_magics.server.gcs.api.downloads import media
from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.gcs_errors import invalid
from aip_magics.server.gcs.object_listing import MAX_RESULTS, ListPage, ListQuery
from aip_magics.server.gcs.preconditions import Preconditions, integer
from aip_magics.server.gcs.resources import StoredObject


async def get(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/o/{object}, with `alt=media` its content."""
    if call.query.get("alt") == "media":
        return await media(call)
    stored = await call.run(call.store.get, call.bucket, call.object, call.query_int("generation"), call.conditions())
    return call.answer(stored.to_json(call.base))


async def listing(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/o"""
    query = call.query
    limit = call.query_int("maxResults")
    list_query = ListQuery(
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=query.get("startOffset", ""),
        end=query.get("endOffset", ""),
        glob=query.get("matchGlob", ""),
        page_token=query.get("pageToken", ""),
        trailing=call.query_bool("includeTrailingDelimiter"),
        limit=limit or MAX_RESULTS,
    )
    if call.query_bool("softDeleted"):
        await call.run(call.store.buckets.get, call.bucket)
        return call.answer({"kind": "storage#objects"})  # deleted objects are not kept
    found = await call.run(call.store.listing, call.bucket, list_query)
    while not found.complete:  # in between, other requests get the disk thread and the database
        await call.run(found.advance)
    return await call.run(_page_response, call, found.page)  # on a thread: a thousand objects take some milliseconds


def _page_response(call: ObjectRequest, page: ListPage) -> Response:
    answer: dict[str, Any] = {"kind": "storage#objects"}
    if page.next_page_token:
        answer["nextPageToken"] = page.next_page_token
    if page.prefixes:
        answer["prefixes"] = page.prefixes
    if page.items:
        answer["items"] = [stored.to_json(call.base) for stored in page.items]
    return call.answer(answer)


async def patch(call: ObjectRequest) -> Response:
    """PATCH /storage/v1/b/{bucket}/o/{object}"""
    return await _change(call, replace=False)


async def update(call: ObjectRequest) -> Response:
    """PUT /storage/v1/b/{bucket}/o/{object}"""
    return await _change(call, replace=True)


async def _change(call: ObjectRequest, *, replace: bool) -> Response:
    changes = await call.json()
    stored = await call.run(
        call.store.patch,
        call.bucket,
        call.object,
        changes,
        call.conditions(),
        generation=call.query_int("generation"),
        replace=replace,
    )
    return call.answer(stored.to_json(call.base))


async def delete(call: ObjectRequest) -> Response:
    """DELETE /storage/v1/b/{bucket}/o/{object}"""
    generation = call.query_int("generation")
    await call.run(call.store.delete, call.bucket, call.object, call.conditions(), generation=generation)
    return Response(status_code=204)


async def compose(call: ObjectRequest) -> Response:
    """POST /storage/v1/b/{bucket}/o/{object}/compose"""
    body = await call.json()
    sources = body.get("sourceObjects", [])
    if not isinstance(sources, list):
        raise invalid("sourceObjects must be a list.")
    stored = await call.run(
        call.store.compose,
        call.bucket,
        call.object,
        [_source(item) for item in sources],
        _object(body.get("destination")),
        call.conditions(),
        delete_sources=body.get("deleteSourceObjects") is True or call.query_bool("deleteSourceObjects"),
    )
    return call.answer(stored.to_json(call.base))


def _source(value: object) -> tuple[str, int | None, Preconditions]:
    item = _object(value)
    name, generation = item.get("name"), item.get("generation")
    if not isinstance(name, str):
        raise invalid("Every source object needs a name.", "required")
    conditions = {key: str(value) for key, value in _object(item.get("objectPreconditions")).items()}
    number = None if generation is None else integer("generation", generation)
    return name, number, Preconditions.from_query(conditions)


async def rewrite(call: ObjectRequest) -> Response:
    """POST /storage/v1/b/{bucket}/o/{object}/rewriteTo/b/{toBucket}/o/{toObject}, always in a single call."""
    stored = await _copy(call)
    size = str(stored.size)
    return call.answer(
        {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": size,
            "objectSize": size,
            "done": True,
            "resource": stored.to_json(call.base),
        }
    )


async def copy(call: ObjectRequest) -> Response:
    """POST /storage/v1/b/{bucket}/o/{object}/copyTo/b/{toBucket}/o/{toObject}"""
    return call.answer((await _copy(call)).to_json(call.base))


async def _copy(call: ObjectRequest) -> StoredObject:
    # As in Cloud Storage, an empty body keeps the metadata of the source; any other body replaces it.
    metadata = await call.json()
    return await call.run(
        call.store.copy,
        (call.bucket, call.object),
        (call.params["toBucket"], call.params["toObject"]),
        metadata or None,
        call.conditions(),
        generation=call.query_int("sourceGeneration"),
        source_conditions=Preconditions.from_query(call.query, source=True),
    )


def _object(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("Expected a JSON object.")
    return value

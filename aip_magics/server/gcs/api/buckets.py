"""Buckets: insert, get, list, patch, update, delete; layout, managed folders and IAM."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.object_listing import MAX_RESULTS, decode_token, encode_token


async def insert(call: ObjectRequest) -> Response:
    """POST /storage/v1/b?project=…"""
    given = await call.json()
    bucket = await call.run(call.store.buckets.create, call.query.get("project", ""), given)
    return call.answer(bucket.to_json(call.base))


async def get(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}"""
    bucket = await call.run(call.store.buckets.get, call.bucket, call.conditions())
    return call.answer(bucket.to_json(call.base))


async def listing(call: ObjectRequest) -> Response:
    """GET /storage/v1/b?project=…"""
    limit = min(call.number("maxResults") or MAX_RESULTS, MAX_RESULTS)
    after = decode_token(call.query.get("pageToken", ""))
    project, prefix = call.query.get("project", ""), call.query.get("prefix", "")
    found = await call.run(call.store.buckets.list, project, prefix, after, limit + 1)
    answer: dict[str, Any] = {"kind": "storage#buckets"}
    if found:
        answer["items"] = [bucket.to_json(call.base) for bucket in found[:limit]]
    if len(found) > limit:
        answer["nextPageToken"] = encode_token(found[limit - 1].name)
    return call.answer(answer)


async def patch(call: ObjectRequest) -> Response:
    """PATCH /storage/v1/b/{bucket}"""
    return await _change(call, replace=False)


async def update(call: ObjectRequest) -> Response:
    """PUT /storage/v1/b/{bucket}"""
    return await _change(call, replace=True)


async def _change(call: ObjectRequest, *, replace: bool) -> Response:
    changes = await call.json()
    bucket = await call.run(call.store.buckets.patch, call.bucket, changes, call.conditions(), replace=replace)
    return call.answer(bucket.to_json(call.base))


async def delete(call: ObjectRequest) -> Response:
    """DELETE /storage/v1/b/{bucket}"""
    await call.run(call.store.buckets.delete, call.bucket, call.conditions())
    return Response(status_code=204)


async def layout(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/storageLayout: gcloud asks before it copies."""
    bucket = await call.run(call.store.buckets.get, call.bucket)
    return call.answer(
        {
            "kind": "storage#storageLayout",
            "bucket": bucket.name,
            "location": bucket.location,
            "locationType": bucket.location_type,
            "hierarchicalNamespace": {"enabled": False},
        }
    )


async def managed_folders(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/managedFolders: there are none."""
    await call.run(call.store.buckets.get, call.bucket)
    return call.answer({"kind": "storage#managedFolders"})


async def get_policy(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/iam"""
    return call.answer(await call.run(call.store.buckets.policy, call.bucket))


async def set_policy(call: ObjectRequest) -> Response:
    """PUT /storage/v1/b/{bucket}/iam"""
    given = await call.json()
    return call.answer(await call.run(call.store.buckets.set_policy, call.bucket, given))


async def test_permissions(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/iam/testPermissions: whoever has the server's token may do everything."""
    await call.run(call.store.buckets.get, call.bucket)
    asked = [value for name, value in call.pairs if name == "permissions"]
    return call.answer({"kind": "storage#testIamPermissionsResponse", "permissions": asked})

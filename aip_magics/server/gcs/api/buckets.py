"""Handlers of buckets: insert, get, list, patch, update, delete; layout, managed folders and IAM."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.object_listing import MAX_RESULTS, decode_token, encode_token


async def insert(call: ObjectRequest) -> Response:
    """POST /storage/v1/b?project=…"""
    resource = await call.json()
    bucket = await call.run(call.store.buckets.create, call.query.get("project", ""), resource)
    return call.answer(bucket.to_json(call.base))


async def get(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}"""
    bucket = await call.run(call.store.buckets.get, call.bucket, call.conditions())
    return call.answer(bucket.to_json(call.base))


async def listing(call: ObjectRequest) -> Response:
    """GET /storage/v1/b?project=…"""
    limit = min(call.query_int("maxResults") or MAX_RESULTS, MAX_RESULTS)
    after = decode_token(call.query.get("pageToken", ""))
    project, prefix = call.query.get("project", ""), call.query.get("prefix", "")
    buckets = await call.run(call.store.buckets.list, project, prefix, after, limit + 1)
    answer: dict[str, Any] = {"kind": "storage#buckets"}
    if buckets:
        answer["items"] = [bucket.to_json(call.base) for bucket in buckets[:limit]]
    if len(buckets) > limit:
        answer["nextPageToken"] = encode_token(buckets[limit - 1].name)
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
    """GET /storage/v1/b/{bucket}/storageLayout, which gcloud requests before a copy."""
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
    """GET /storage/v1/b/{bucket}/managedFolders: always empty."""
    await call.run(call.store.buckets.get, call.bucket)
    return call.answer({"kind": "storage#managedFolders"})


async def get_policy(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/iam"""
    return call.answer(await call.run(call.store.buckets.get_policy, call.bucket))


async def set_policy(call: ObjectRequest) -> Response:
    """PUT /storage/v1/b/{bucket}/iam"""
    policy = await call.json()
    return call.answer(await call.run(call.store.buckets.set_policy, call.bucket, policy))


async def test_permissions(call: ObjectRequest) -> Response:
    """GET /storage/v1/b/{bucket}/iam/testPermissions: the server's token grants every permission."""
    await call.run(call.store.buckets.get, call.bucket)
    permissions = [value for name, value in call.pairs if name == "permissions"]
    return call.answer({"kind": "storage#testIamPermissionsResponse", "permissions": permissions})

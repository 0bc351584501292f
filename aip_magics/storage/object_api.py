"""Object calls of the JSON API that transfers need: list, get, delete, copy, set metadata."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from aip_magics.connection_errors import check_endpoint_fix
from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import url_paths
from aip_magics.storage.gs_uri import GsUri
from aip_magics.storage.http.client import MAX_PAGE_BYTES, StorageClient, StorageRequestError

CONTENT_HASH_KEY = "aip-magics-blake3"  # key of the content hash (checksums.py) in an object's custom metadata
# A model directory has at most 1,000 files; the user may upload or download other directories.
MAX_OBJECTS = 200_000
MAX_PAGES = 2000
MAX_REWRITE_CALLS = 10_000  # for one copy: each call does at least a second of work
MAX_TOKEN_CHARS = 4096
FIELDS = "name,size,crc32c,generation,metadata"


@dataclasses.dataclass(frozen=True)
class RemoteObject:
    """An object; in a listing `name` is relative to the directory. `crc32c` is base64, as in the API.

    `content_hash` is the hash that our uploads store in its metadata, empty if there is none.
    """

    panel_kind: ClassVar[str] = "object"
    name: str
    size: int
    crc32c: str
    generation: int
    content_hash: str = ""

    @classmethod
    def from_resource(cls, resource: Mapping[str, Any], directory: str = "") -> RemoteObject:
        """Read the API's Object resource; with `directory` (`a/b/`) the name is relative to that."""
        return cls(
            name=str(resource.get("name", ""))[len(directory) :],
            size=int(resource.get("size", 0)),
            crc32c=str(resource.get("crc32c", "")),
            generation=int(resource.get("generation", 0)),
            content_hash=str((resource.get("metadata") or {}).get(CONTENT_HASH_KEY, "")),
        )


def list_objects(client: StorageClient, directory: GsUri) -> dict[str, RemoteObject]:
    """The objects below `directory`, by relative name; empty if the bucket or directory does not exist."""
    found: dict[str, RemoteObject] = {}
    try:
        for resource in iterate_resources(client, directory):
            remote = RemoteObject.from_resource(resource, directory.prefix)
            if remote.name:
                found[remote.name] = remote
    except StorageRequestError as error:
        if error.code != 404:
            raise
        return {}
    return found


def has_objects(client: StorageClient, directory: GsUri) -> bool:
    """Whether there is an object below `directory`; one page at most is read of a directory that has some."""
    try:
        return any(
            resource.get("name") != directory.prefix for resource in iterate_resources(client, directory, "name")
        )
    except StorageRequestError as error:
        if error.code != 404:
            raise
        return False


def iterate_resources(client: StorageClient, directory: GsUri, fields: str = FIELDS) -> Iterator[Mapping[str, Any]]:
    """Yield the API's resource of each object below `directory`, page by page, with these fields.

    StorageRequestError (404) if the bucket does not exist, StorageError for a listing that does not end.
    """
    query = {"prefix": directory.prefix, "fields": f"nextPageToken,items({fields})", "maxResults": "1000"}
    seen, count = set[str](), 0
    while count <= MAX_OBJECTS and len(seen) <= MAX_PAGES:
        target = f"{url_paths.bucket_path(directory.bucket, 'o')}?{urllib.parse.urlencode(query)}"
        page = client.request("GET", target, where=str(directory), max_bytes=MAX_PAGE_BYTES).json()
        items = page.get("items", ())
        count += len(items)
        yield from items
        token = str(page.get("nextPageToken") or "")
        if not token:
            return
        if token in seen or len(token) > MAX_TOKEN_CHARS:
            raise listing_error(client, directory, _("repeated or invalid page token"))
        seen.add(token)
        query["pageToken"] = token
    raise listing_error(client, directory, _("more than {count} entries", count=count))


def listing_error(client: StorageClient, directory: GsUri, reason: str) -> StorageError:
    """The error for a listing that cannot be what was asked for."""
    text = _("could not list {key}: {reason}", key=str(directory), reason=reason)
    fix = _("check the endpoint URL and any proxy, or use a directory with fewer objects")
    return StorageError(text, where=client.endpoint, fix=fix)


def get_object(client: StorageClient, bucket: str, name: str) -> RemoteObject | None:
    """The object, None if it (or the bucket) does not exist."""
    target = f"{url_paths.object_path(bucket, name)}?fields={FIELDS}"
    try:
        return RemoteObject.from_resource(client.request("GET", target, where=f"gs://{bucket}/{name}").json())
    except StorageRequestError as error:
        if error.code == 404:
            return None
        raise


def delete_object(client: StorageClient, bucket: str, name: str, generation: int) -> None:
    """Delete this generation of an object, if it exists. StorageRequestError (412) if it was replaced meanwhile."""
    try:
        target = f"{url_paths.object_path(bucket, name)}?ifGenerationMatch={generation}"
        client.request("DELETE", target, where=f"gs://{bucket}/{name}")
    except StorageRequestError as error:
        if error.code != 404:
            raise


def rewrite_object(
    client: StorageClient, source: tuple[str, RemoteObject], target: tuple[str, str], generation: int
) -> RemoteObject:
    """Copy (bucket, object) with its metadata to (bucket, name), whose generation must be this one (0: none)."""
    bucket, remote = source
    path = url_paths.rewrite_path((bucket, remote.name), target)
    query = {"ifGenerationMatch": str(generation), "ifSourceGenerationMatch": str(remote.generation)}
    where = f"gs://{target[0]}/{target[1]}"
    for _unused in range(MAX_REWRITE_CALLS):
        answer = client.request("POST", f"{path}?{urllib.parse.urlencode(query)}", where=where).json()
        if answer.get("done"):
            return RemoteObject.from_resource(answer["resource"])
        query["rewriteToken"] = str(answer.get("rewriteToken") or "")  # a large copy across locations takes many calls
    raise StorageError(_("the copy does not end"), where=where, fix=check_endpoint_fix())


def set_content_hash(client: StorageClient, bucket: str, remote: RemoteObject, content_hash: str) -> None:
    """Store the content hash in an object's metadata. A refusal is ignored: it only prevents later copies."""
    target = f"{url_paths.object_path(bucket, remote.name)}?generation={remote.generation}&fields=generation"
    where, body = f"gs://{bucket}/{remote.name}", json.dumps({"metadata": {CONTENT_HASH_KEY: content_hash}}).encode()
    try:
        client.request("PATCH", target, where=where, body=body, Content_Type="application/json")
    except StorageRequestError as error:
        if error.code not in (403, 404, 412):
            raise

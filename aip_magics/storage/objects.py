"""The calls of the JSON API that a transfer needs: list, look at, delete, copy, describe an object."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any, ClassVar

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import paths
from aip_magics.storage.names import GsUri
from aip_magics.storage.store import PAGE, Refused, Store

STRONG = "aip-magics-blake3"  # the key of the strong hash (checksums.py) in an object's custom metadata
# A model's directory has 1,000 files at most; one that is uploaded or fetched may be another.
OBJECTS = 200_000
MOST_PAGES = 2000
REWRITES = 10_000  # calls for one copy: each does at least a second of work
TOKEN_CHARS = 4096
FIELDS = "name,size,crc32c,generation,metadata"


@dataclasses.dataclass(frozen=True)
class Remote:
    """An object; in a listing `name` is relative to the directory. `crc32c` base64 as the API writes it.

    `strong` is the strong hash that our uploads leave with it, empty where there is none.
    """

    panel_kind: ClassVar[str] = "object"
    name: str
    size: int
    crc32c: str
    generation: int
    strong: str = ""

    @classmethod
    def read(cls, resource: Mapping[str, Any], directory: str = "") -> Remote:
        """From the API's Object resource; with a `directory` (`a/b/`) its name is relative to that."""
        return cls(
            name=str(resource.get("name", ""))[len(directory) :],
            size=int(resource.get("size", 0)),
            crc32c=str(resource.get("crc32c", "")),
            generation=int(resource.get("generation", 0)),
            strong=str((resource.get("metadata") or {}).get(STRONG, "")),
        )


def listing(store: Store, directory: GsUri) -> dict[str, Remote]:
    """The objects below `directory`, by relative name; empty where there is no such bucket or directory."""
    found: dict[str, Remote] = {}
    query = {"prefix": directory.prefix, "fields": f"nextPageToken,items({FIELDS})", "maxResults": "1000"}
    seen = set[str]()
    while len(found) <= OBJECTS and len(seen) <= MOST_PAGES:
        target = f"{paths.of_bucket(directory.bucket, 'o')}?{urllib.parse.urlencode(query)}"
        try:
            page = store.call("GET", target, where=str(directory), most=PAGE).json()
        except Refused as error:
            if error.code == 404:
                return {}
            raise
        for item in page.get("items", ()):
            remote = Remote.read(item, directory.prefix)
            if remote.name:
                found[remote.name] = remote
        token = str(page.get("nextPageToken") or "")
        if not token:
            return found
        if token in seen or len(token) > TOKEN_CHARS:
            raise _no_list(store, directory, _("a page token came twice, or is none"))
        seen.add(token)
        query["pageToken"] = token
    raise _no_list(store, directory, _("after {count} entries there are more", count=len(found)))


def _no_list(store: Store, directory: GsUri, why: str) -> StorageError:
    text = _("the list of {key} cannot be read: {why}", key=str(directory), why=why)
    fix = _("look at the endpoint, and at a proxy in between; or name a directory with fewer objects")
    return StorageError(text, where=store.endpoint, fix=fix)


def find(store: Store, bucket: str, name: str) -> Remote | None:
    """The object, None where it (or the bucket) is not there."""
    target = f"{paths.of_object(bucket, name)}?fields={FIELDS}"
    try:
        return Remote.read(store.call("GET", target, where=f"gs://{bucket}/{name}").json())
    except Refused as error:
        if error.code == 404:
            return None
        raise


def delete(store: Store, bucket: str, name: str, generation: int) -> None:
    """Delete this generation of an object; gone already is fine. Refused (412) when it was replaced meanwhile."""
    try:
        target = f"{paths.of_object(bucket, name)}?ifGenerationMatch={generation}"
        store.call("DELETE", target, where=f"gs://{bucket}/{name}")
    except Refused as error:
        if error.code != 404:
            raise


def rewrite(store: Store, source: tuple[str, Remote], target: tuple[str, str], generation: int) -> Remote:
    """Copy (bucket, object) to (bucket, name), which must have this generation (0: not be there), with its metadata."""
    bucket, remote = source
    path = paths.of_copy((bucket, remote.name), target)
    query = {"ifGenerationMatch": str(generation), "ifSourceGenerationMatch": str(remote.generation)}
    where = f"gs://{target[0]}/{target[1]}"
    for _unused in range(REWRITES):
        answer = store.call("POST", f"{path}?{urllib.parse.urlencode(query)}", where=where).json()
        if answer.get("done"):
            return Remote.read(answer["resource"])
        query["rewriteToken"] = str(answer.get("rewriteToken") or "")  # a big copy between places takes several calls
    raise StorageError(
        _("the copy does not end"), where=where, fix=_("look at the endpoint, and at a proxy in between")
    )


def describe(store: Store, bucket: str, remote: Remote, strong: str) -> None:
    """Leave the strong hash with an object. That it is refused costs later copies, nothing else."""
    target = f"{paths.of_object(bucket, remote.name)}?generation={remote.generation}&fields=generation"
    body = json.dumps({"metadata": {STRONG: strong}}).encode()
    try:
        store.call("PATCH", target, where=f"gs://{bucket}/{remote.name}", body=body, Content_Type="application/json")
    except Refused as error:
        if error.code not in (403, 404, 412):
            raise

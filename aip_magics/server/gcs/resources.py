"""Buckets and objects as values, with their JSON API representations."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aip_magics.catalog import gcs_locations
from aip_magics.server.gcs.gcs_errors import invalid

MAX_CUSTOM_METADATA = 8192  # bytes, keys and values together, as the service has it
_TEXTS = ("contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "customTime")
_BUCKET_FIELDS = (
    "labels",
    "lifecycle",
    "cors",
    "website",
    "logging",
    "billing",
    "encryption",
    "defaultEventBasedHold",
    "rpo",
    "storageClass",
    "iamConfiguration",
    "softDeletePolicy",
    "autoclass",
)


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """An object. `size` is in bytes, `crc32c` (big-endian) and `md5` are base64, times are RFC 3339.

    `md5` is None for composed objects (compose, XML multipart upload). `blob` is the id of the blob file, see
    `ObjectStore.path`. `metadata` holds the fields that a caller may set, as the JSON API spells them.
    """

    bucket: str
    name: str
    size: int
    crc32c: str
    md5: str | None
    generation: int
    metageneration: int
    created: str
    updated: str
    blob: str
    components: int | None
    metadata: Mapping[str, Any]

    @property
    def etag(self) -> str:
        return _etag(self.generation, self.metageneration)

    def to_json(self, base: str) -> dict[str, Any]:
        """Build the `storage#object` resource; `base` is the URL of the server without a trailing slash."""
        path = f"storage/v1/b/{self.bucket}/o/{quote(self.name, safe='')}"
        resource = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base}/{path}",
            "mediaLink": f"{base}/download/{path}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "storageClass": "STANDARD",
            "size": str(self.size),
            "md5Hash": self.md5,
            "crc32c": self.crc32c,
            "etag": self.etag,
            "timeCreated": self.created,
            "updated": self.updated,
            "timeStorageClassUpdated": self.created,
            "timeFinalized": self.created,
            "componentCount": self.components,
            **self.metadata,
        }
        return {name: value for name, value in resource.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A bucket. `metadata` holds the fields that a caller may set, as the JSON API spells them."""

    name: str
    project: str
    location: str
    metageneration: int
    generation: int
    created: str
    updated: str
    metadata: Mapping[str, Any]

    @property
    def location_type(self) -> str:
        return gcs_locations.location_type(self.location)

    def to_json(self, base: str) -> dict[str, Any]:
        """Build the `storage#bucket` resource; `base` is the URL of the server without a trailing slash."""
        metadata = dict(self.metadata)
        access = dict(metadata.pop("iamConfiguration", None) or {})
        uniform = access.get("uniformBucketLevelAccess") or access.get("bucketPolicyOnly") or {"enabled": False}
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "selfLink": f"{base}/storage/v1/b/{self.name}",
            "projectNumber": project_number(self.project),
            "name": self.name,
            "timeCreated": self.created,
            "updated": self.updated,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "location": self.location,
            "locationType": self.location_type,
            "storageClass": "STANDARD",
            "etag": _etag(self.generation, self.metageneration),
            "iamConfiguration": {
                "publicAccessPrevention": "inherited",
                **access,
                "uniformBucketLevelAccess": uniform,
                "bucketPolicyOnly": uniform,
            },
            **metadata,
        }


def project_number(project: str) -> str:
    """Derive a 12-digit project number from a project id. The same id always gets the same number."""
    if project.isdecimal():
        return project
    # Same derivation as in projects.getConfig: the service agent has the number of the bucket's project in its name.
    digest = hashlib.blake2b(project.encode("utf-8", "replace"), digest_size=8).digest()
    return str(10**11 + int.from_bytes(digest, "big") % (9 * 10**11))


def object_metadata(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Validate and return the fields of an object resource that a caller may set; other fields are ignored."""
    settable: dict[str, Any] = {
        name: _header_text(name, resource[name]) for name in _TEXTS if resource.get(name) is not None
    }
    if resource.get("storageClass") is not None:
        settable["storageClass"] = _header_text("storageClass", resource["storageClass"])
    if resource.get("metadata") is not None:
        settable["metadata"] = _custom(resource["metadata"])
    return settable


def patched_object(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch: null removes a field, `metadata` is merged key by key."""
    merged = {**current, **{name: changes[name] for name in (*_TEXTS, "storageClass") if name in changes}}
    if "metadata" in changes:
        custom = changes["metadata"]
        if custom is None:
            merged.pop("metadata", None)
        elif isinstance(custom, dict):
            both = {**(current.get("metadata") or {}), **custom}
            merged["metadata"] = {key: value for key, value in both.items() if value is not None}
        else:
            raise invalid("metadata must be an object with string values.")
    return object_metadata(merged)


def bucket_metadata(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Validate and return the fields of a bucket resource that a caller may set; other fields are ignored."""
    if isinstance(resource.get("versioning"), dict) and resource["versioning"].get("enabled"):
        raise invalid("The embedded object store does not support versioning: an object has one generation.")
    settable = {name: resource[name] for name in _BUCKET_FIELDS if resource.get(name) is not None}
    for name in ("iamConfiguration", "labels"):
        if not isinstance(settable.get(name, {}), dict):
            raise invalid(f"{name} must be an object.")
    return settable


def patched_bucket(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch: null removes a field, objects are merged key by key."""
    merged = _merge(current, {name: changes[name] for name in (*_BUCKET_FIELDS, "versioning") if name in changes})
    return bucket_metadata(merged)


def _merge(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(current)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = _merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _custom(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise invalid("metadata must be an object with string values.")
    size = sum(len((key + value).encode(errors="surrogatepass")) for key, value in metadata.items())
    if size > MAX_CUSTOM_METADATA:
        raise invalid(f"Custom metadata has {size} bytes; at most {MAX_CUSTOM_METADATA} are allowed.")
    return metadata


def _header_text(name: str, value: object) -> str:
    # These fields become response headers: a line break in one of them would let a caller inject headers.
    if not isinstance(value, str) or not _is_plain(value):
        raise invalid(f"Invalid value for {name}: expected text without control characters.")
    return value


def _is_plain(text: str) -> bool:
    return all(char >= " " and char != "\x7f" and not "\ud800" <= char <= "\udfff" for char in text)


def _etag(generation: int, metageneration: int) -> str:
    return base64.b64encode(f"{generation}/{metageneration}".encode()).decode()

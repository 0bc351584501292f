"""Bucket and object as values, and how the JSON API shows them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

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
_MULTI_REGIONS = {"US", "EU", "ASIA"}
_DUAL_REGIONS = {"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"}


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """One object. `size` in bytes; `crc32c` (big-endian) and `md5` base64; times RFC 3339.

    `md5` is None for objects put together from others (compose, XML multipart upload). `blob` names the file, see
    `ObjectStore.path`. `metadata` holds the fields a caller may set, as the JSON API spells them.
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
        """The `storage#object` resource; `base` is the URL of the server without a slash at its end."""
        path = f"storage/v1/b/{self.bucket}/o/{quote(self.name, safe='')}"
        found = {
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
        return {name: value for name, value in found.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Bucket:
    """One bucket. `metadata` holds the fields a caller may set, as the JSON API spells them."""

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
        if self.location in _MULTI_REGIONS:
            return "multi-region"
        return "dual-region" if self.location in _DUAL_REGIONS else "region"

    def to_json(self, base: str) -> dict[str, Any]:
        """The `storage#bucket` resource."""
        given = dict(self.metadata)
        access = dict(given.pop("iamConfiguration", None) or {})
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
            **given,
        }


def project_number(project: str) -> str:
    """Twelve digits that stand for the project: always the same for one project id."""
    if project.isdecimal():
        return project
    # As projects.getConfig counts: the service's account, which has the number in its name, is of the bucket's project.
    digest = hashlib.blake2b(project.encode("utf-8", "replace"), digest_size=8).digest()
    return str(10**11 + int.from_bytes(digest, "big") % (9 * 10**11))


def object_metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object resource that a caller may set, checked; the others are left out."""
    kept: dict[str, Any] = {name: _header_text(name, given[name]) for name in _TEXTS if given.get(name) is not None}
    if given.get("storageClass") is not None:
        kept["storageClass"] = _header_text("storageClass", given["storageClass"])
    if given.get("metadata") is not None:
        kept["metadata"] = _custom(given["metadata"])
    return kept


def patched_object(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch: null removes; `metadata` is merged key by key."""
    merged = {**current, **{name: changes[name] for name in (*_TEXTS, "storageClass") if name in changes}}
    if "metadata" in changes:
        custom = changes["metadata"]
        if custom is None:
            merged.pop("metadata", None)
        elif isinstance(custom, dict):
            both = {**(current.get("metadata") or {}), **custom}
            merged["metadata"] = {key: value for key, value in both.items() if value is not None}
        else:
            raise invalid("metadata must be an object of text values.")
    return object_metadata(merged)


def bucket_metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a bucket resource that a caller may set; the others are left out."""
    if isinstance(given.get("versioning"), dict) and given["versioning"].get("enabled"):
        raise invalid("The embedded object store keeps one generation of an object: versioning cannot be enabled.")
    kept = {name: given[name] for name in _BUCKET_FIELDS if given.get(name) is not None}
    for name in ("iamConfiguration", "labels"):
        if not isinstance(kept.get(name, {}), dict):
            raise invalid(f"{name} must be an object.")
    return kept


def patched_bucket(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch: null removes; objects are merged key by key."""
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


def _custom(given: object) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise invalid("metadata must be an object of text values.")
    size = sum(len((key + value).encode(errors="surrogatepass")) for key, value in given.items())
    if size > MAX_CUSTOM_METADATA:
        raise invalid(f"Custom metadata has {size} bytes; at most {MAX_CUSTOM_METADATA} are allowed.")
    return given


def _header_text(name: str, value: object) -> str:
    # These fields become response headers: a line break in one of them would let a caller write headers of its own.
    if not isinstance(value, str) or not _is_plain(value):
        raise invalid(f"Invalid value for {name}: text without control characters is wanted.")
    return value


def _is_plain(text: str) -> bool:
    return all(char >= " " and char != "\x7f" and not "\ud800" <= char <= "\udfff" for char in text)


def _etag(generation: int, metageneration: int) -> str:
    return base64.b64encode(f"{generation}/{metageneration}".encode()).decode()

"""URL paths of Cloud Storage's JSON and XML API: the only place that builds them.

An object name may contain nearly anything and is quoted. A bucket name may not: one that would address another resource
is refused before any request.
"""

from __future__ import annotations

import functools
import urllib.parse

from aip_magics.resource_names import in_path
from aip_magics.storage.gs_uri import check_bucket_name, check_object_name

BUCKETS = "/storage/v1/b"


@functools.lru_cache(maxsize=64)
def _quoted_bucket(bucket: str) -> str:
    check_bucket_name(bucket)
    return in_path(bucket)


def bucket_path(bucket: str, collection: str = "") -> str:
    """Path of the bucket, or of a collection in it (`o`, `iam`). StorageError for an invalid name, as below."""
    return f"{BUCKETS}/{_quoted_bucket(bucket)}{f'/{collection}' if collection else ''}"


def object_path(bucket: str, name: str) -> str:
    """Path of an object."""
    check_object_name(name)
    return f"{bucket_path(bucket, 'o')}/{in_path(name)}"


def rewrite_path(source: tuple[str, str], target: tuple[str, str]) -> str:
    """Path of the call that copies one (bucket, object) to another."""
    return f"{object_path(*source)}/rewriteTo{object_path(*target).removeprefix('/storage/v1')}"


def upload_path(bucket: str) -> str:
    """Path for uploads of objects to the bucket."""
    return f"/upload{bucket_path(bucket, 'o')}"


def xml_path(bucket: str, name: str = "") -> str:
    """Path of the bucket, or of an object, in the XML API, which alone has multipart uploads."""
    if name:
        check_object_name(name)
    return f"/{_quoted_bucket(bucket)}{f'/{urllib.parse.quote(name)}' if name else ''}"

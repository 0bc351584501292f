"""The paths of Cloud Storage's URLs: the one place that makes them, of names that Cloud Storage knows only.

An object's name may hold nearly anything and is quoted; a bucket's may not, and one that would address something else
is refused before a request is made of it.
"""

from __future__ import annotations

import functools
import urllib.parse

from aip_magics.resource_names import in_path
from aip_magics.storage.names import check_bucket_name, check_object_name

BUCKETS = "/storage/v1/b"


@functools.lru_cache(maxsize=64)
def _named(bucket: str) -> str:
    check_bucket_name(bucket)
    return in_path(bucket)


def of_bucket(bucket: str, what: str = "") -> str:
    """The bucket, or `what` of it (`o`, `iam`). StorageError where it is no name, as in the following."""
    return f"{BUCKETS}/{_named(bucket)}{f'/{what}' if what else ''}"


def of_object(bucket: str, name: str) -> str:
    check_object_name(name)
    return f"{of_bucket(bucket, 'o')}/{in_path(name)}"


def of_copy(source: tuple[str, str], target: tuple[str, str]) -> str:
    """Copying one (bucket, object) to another."""
    return f"{of_object(*source)}/rewriteTo{of_object(*target).removeprefix('/storage/v1')}"


def of_uploads(bucket: str) -> str:
    """Where objects of the bucket are made."""
    return f"/upload{of_bucket(bucket, 'o')}"


def of_parts(bucket: str, name: str = "") -> str:
    """The bucket, or an object, in the XML API: what is uploaded in parts is there only."""
    if name:
        check_object_name(name)
    return f"/{_named(bucket)}{f'/{urllib.parse.quote(name)}' if name else ''}"

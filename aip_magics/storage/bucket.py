"""Buckets: used when they are there, made when they are missing."""

from __future__ import annotations

from typing import Any

from aip_magics.storage.faults import storage_errors
from aip_magics.storage.names import check_bucket_name


def ensure_bucket(client: Any, name: str, location: str) -> tuple[bool, str]:
    """Make the bucket in `location` unless it is there.

    Returns whether it was made, and where it is (the location in lower case). StorageError where the name is illegal or
    taken, or permission is missing. A new bucket has uniform access and is closed to the public.
    """
    check_bucket_name(name)
    where = f"gs://{name}"
    with storage_errors(where, _FIXES):
        bucket = client.lookup_bucket(name)
        if bucket is not None:
            return False, str(bucket.location or "").lower()
        bucket = client.bucket(name)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        made = client.create_bucket(bucket, location=location)
        return True, str(made.location or location).lower()


_FIXES = {
    403: "the bucket belongs to somebody else or you lack the right; name another one with --staging-bucket gs://BUCKET",
    409: "bucket names are taken by anybody in the world; name another one with --staging-bucket gs://BUCKET",
}

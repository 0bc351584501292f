"""From gs:// to this machine: whole and checked, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aip_magics.errors import StorageError
from aip_magics.storage.cache import Cache
from aip_magics.storage.faults import storage_errors
from aip_magics.storage.names import GsUri
from aip_magics.storage.upload import Remote, file_crc32c, listing

_FIXES = {403: "you lack storage.objects.get on this bucket", 404: "look at the name again: gsutil ls -r gs://BUCKET"}


def download(client: Any, uri: str, path: Path) -> None:
    """Download the object `gs://BUCKET/NAME` to `path`, whose directory is there.

    The bytes are checked against the object's crc32c; `path` appears at once and whole. StorageError where the object
    is missing, replaced meanwhile or damaged on the way.
    """
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file, storage_errors(uri, _FIXES):
            blob = client.bucket(bucket).blob(name)
            blob.reload()
            # As stored: what was compressed for the transport must arrive as the bytes that were checksummed.
            blob.download_to_file(file, raw_download=True, if_generation_match=blob.generation, checksum=None)
        if file_crc32c(Path(temporary)) != blob.crc32c:
            raise StorageError("the bytes were damaged on the way", where=uri, fix="run it again")
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def fetch_file(client: Any, uri: str, cache: Cache) -> Path:
    """The object as a local file of the same name, downloaded unless this very object was before."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    with storage_errors(uri, _FIXES):
        blob = client.bucket(bucket).get_blob(name)
    if blob is None:
        raise StorageError("the object was not found", where=uri, fix=_FIXES[404])
    base = name.rpartition("/")[2]
    folder = cache.entry([uri, int(blob.size), blob.crc32c], lambda folder: download(client, uri, folder / base))
    return folder / base


def fetch_directory(client: Any, directory: GsUri, cache: Cache, limit: int) -> Path | str:
    """The directory as a local one, downloaded unless these very objects were before.

    Where it is empty, larger than `limit` bytes or holds names that cannot be files, the reason as a text instead.
    """
    objects = [remote for name, remote in sorted(listing(client, directory).items()) if not name.endswith("/")]
    total = sum(remote.size for remote in objects)
    if not objects:
        return f"{directory} was not found or holds no files"
    if total > limit:
        return f"{directory} holds {total / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB are downloaded"
    if bad := _bad_name(objects):
        return f"the object {bad} cannot become a file"

    def fill(folder: Path) -> None:
        for remote in objects:
            target = folder / remote.name
            target.parent.mkdir(parents=True, exist_ok=True)
            download(client, f"{directory}{remote.name}", target)

    return cache.entry([str(directory), *((one.name, one.size, one.crc32c) for one in objects)], fill)


def _bad_name(objects: Sequence[Remote]) -> str | None:
    # An object's name may be anything; nothing is ever written outside the directory.
    for remote in objects:
        if any(part in ("", ".", "..") for part in remote.name.split("/")) or set(remote.name) & {"\0", "\\", ":"}:
            return remote.name
    return None

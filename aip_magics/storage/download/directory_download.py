"""Download of a directory in Cloud Storage: only the files that differ from the local ones."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import ClassVar

from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.download.download_plan import plan_download
from aip_magics.storage.download.object_download import download_objects
from aip_magics.storage.gs_uri import GsUri
from aip_magics.storage.http.client import StorageClient
from aip_magics.storage.progress import OnProgress


@dataclasses.dataclass(frozen=True)
class DownloadedFile:
    """An object as a local file. `name` is relative to the source, `crc32c` is base64, `size` in bytes.

    `kept`: the local file had the same content and was not downloaded.
    """

    panel_kind: ClassVar[str] = "object"
    name: str
    uri: str
    path: Path
    generation: int
    crc32c: str
    size: int
    kept: bool = False


def download_directory(
    client: StorageClient,
    source: GsUri | str,
    directory: Path,
    *,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    digests: DigestCache | None = None,
) -> tuple[DownloadedFile, ...]:
    """Download all objects below `source`, or the one object that it names, as files below `directory`.

    A file of the same size and CRC32C is kept. A file appears only when it is complete.

    Args:
        client: The endpoint.
        source: A directory or an object.
        directory: The local directory.
        progress: Called on this thread.
        cancel: Stops the download when set.
        digests: Cache of file digests.

    Returns:
        The files, by name.

    Raises:
        StorageError: There are no objects, a name is invalid for a file, or an object was replaced or corrupted.
        Interrupted: The download was stopped.
    """
    plan = plan_download(client, source, directory, digests)
    bucket, prefix = plan.source.bucket, plan.source.prefix
    jobs = [
        (bucket, dataclasses.replace(file.remote, name=prefix + file.remote.name), file.path)
        for file in plan.files
        if not file.kept
    ]
    download_objects(client, jobs, progress, cancel)
    return tuple(
        DownloadedFile(
            file.remote.name,
            f"gs://{bucket}/{prefix}{file.remote.name}",
            file.path,
            file.remote.generation,
            file.remote.crc32c,
            file.remote.size,
            file.kept,
        )
        for file in plan.files
    )

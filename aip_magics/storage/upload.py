"""From a local directory to gs://: only what differs is sent, and what arrives is checked."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from aip_magics.errors import StorageError
from aip_magics.storage.faults import storage_errors
from aip_magics.storage.names import GsUri

BLOCK = 1024 * 1024
CHUNK = 8 * 1024 * 1024  # a resumable chunk: small enough for a slow line's timeout, at 100 kB/s 80 s


class LocalFile(Protocol):
    """What is asked of a file to upload (artifacts.File has it). `name` is relative, with `/`."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Remote:
    """An object at the destination; `name` is relative to it, `crc32c` base64 as the API writes it."""

    name: str
    size: int
    crc32c: str
    generation: int


@dataclasses.dataclass(frozen=True)
class UploadPlan:
    """What has to be done so that `destination` holds just these files."""

    destination: GsUri
    send: tuple[LocalFile, ...]
    keep: tuple[LocalFile, ...]
    remove: tuple[Remote, ...]
    remote: dict[str, Remote]

    @property
    def bytes_to_send(self) -> int:
        return sum(file.size for file in self.send)

    @property
    def unchanged(self) -> bool:
        """The destination already holds exactly these files."""
        return not self.send and not self.remove


def listing(client: Any, directory: GsUri) -> dict[str, Remote]:
    """The objects below `directory`, by relative name; empty where there is no such bucket or directory."""
    import google.api_core.exceptions

    with storage_errors(str(directory)):
        try:
            blobs = list(client.list_blobs(directory.bucket, prefix=directory.prefix))
        except google.api_core.exceptions.NotFound:
            return {}
    remotes = (Remote(b.name[len(directory.prefix) :], int(b.size), b.crc32c or "", int(b.generation)) for b in blobs)
    return {remote.name: remote for remote in remotes if remote.name}


def plan_upload(files: Iterable[LocalFile], destination: GsUri, remote: dict[str, Remote]) -> UploadPlan:
    """Compare by size, then by crc32c: what to send, what stays, what is there too much."""
    send: list[LocalFile] = []
    keep: list[LocalFile] = []
    names = set()
    for file in files:
        names.add(file.name)
        there = remote.get(file.name)
        same = there is not None and there.size == file.size and there.crc32c == file_crc32c(file.path)
        (keep if same else send).append(file)
    remove = tuple(there for name, there in remote.items() if name not in names)
    return UploadPlan(destination, tuple(send), tuple(keep), remove, remote)


def upload(client: Any, plan: UploadPlan, on_bytes: Callable[[int, str], None] = lambda _bytes, _name: None) -> None:
    """Carry the plan out. `on_bytes(count, name)` is called as bytes leave.

    Every object is written only if it is still what was listed (`ifGenerationMatch`), and its crc32c is checked by the
    server, so that a second uploader or a damaged line cannot corrupt it.
    """
    bucket = client.bucket(plan.destination.bucket)
    for file in plan.send:
        there = plan.remote.get(file.name)
        _send(bucket, file, plan.destination, there.generation if there else 0, on_bytes)
    for remote in plan.remove:
        with storage_errors(f"{plan.destination}{remote.name}"):
            bucket.blob(plan.destination.prefix + remote.name).delete(if_generation_match=remote.generation)


def file_crc32c(path: Path) -> str:
    """crc32c of a file, base64 of its four bytes in big-endian order: as the API writes it."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            checksum.update(block)
    return base64.b64encode(checksum.digest()).decode()


def _send(bucket: Any, file: LocalFile, to: GsUri, generation: int, on_bytes: Callable[[int, str], None]) -> None:
    where = f"{to}{file.name}"
    blob = bucket.blob(to.prefix + file.name, chunk_size=CHUNK if file.size > CHUNK else None)
    fixes = {
        403: "you lack storage.objects.create on this bucket",
        412: "somebody else wrote the same object meanwhile; run it again",
    }
    try:
        with file.path.open("rb") as raw, storage_errors(where, fixes):
            blob.upload_from_file(
                _Counted(raw, lambda count: on_bytes(count, file.name)),
                size=file.size,
                content_type="application/octet-stream",
                if_generation_match=generation,
                checksum="crc32c",
            )
    except OSError as error:
        raise StorageError(f"the file cannot be read ({error.strerror or error})", where=str(file.path)) from error


class _Counted(io.BufferedIOBase):
    """A file that reports how many bytes were read of it; going back (a retry) counts backwards."""

    def __init__(self, raw: Any, report: Callable[[int], None]) -> None:
        self._raw = raw
        self._report = report

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self._raw.read(size)
        self._report(len(data))
        return data

    def tell(self) -> int:
        return int(self._raw.tell())

    def seek(self, offset: int, whence: int = 0, /) -> int:
        before = self.tell()
        after = int(self._raw.seek(offset, whence))
        self._report(after - before)
        return after

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

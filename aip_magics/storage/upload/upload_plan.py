"""Plan of an upload: a value computed from the local files and one listing, before any byte is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.checksums import Digest
from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.gs_uri import GsUri, check_object_name
from aip_magics.storage.http.client import StorageClient
from aip_magics.storage.object_api import RemoteObject, list_objects
from aip_magics.storage.upload.prefetch import prefetch_digests

MULTIPART_MIN_BYTES = 64 << 20  # files above this size are uploaded in parts
Kind = Literal["upload", "copy", "keep", "remove"]


class LocalFile(Protocol):
    """A file to upload, such as artifacts.File. `name` is relative, with `/`; `size` in bytes."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class ServerSideCopy:
    """A file whose content exists in Cloud Storage: `source` (in `bucket`) is copied by the service."""

    file: LocalFile
    source: RemoteObject
    bucket: str
    digest: Digest

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def size(self) -> int:
        return self.file.size


@dataclasses.dataclass(frozen=True)
class UploadPlan:
    """What to do so that `destination` has the content of these files.

    `send`, `copy` and `keep` are the files; `extra` the objects without a local file, `remove` those of them that will
    be deleted (all or none). `remote` are all existing objects, by name relative to the destination.
    """

    panel_kind: ClassVar[str] = "upload"
    destination: GsUri
    send: tuple[LocalFile, ...]
    keep: tuple[LocalFile, ...]
    remove: tuple[RemoteObject, ...]
    remote: Mapping[str, RemoteObject]
    copy: tuple[ServerSideCopy, ...] = ()
    extra: tuple[RemoteObject, ...] = ()

    @property
    def bytes_to_send(self) -> int:
        return sum(file.size for file in self.send)

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.send or self.copy or self.remove)

    @property
    def rows(self) -> tuple[tuple[Kind, str, int], ...]:
        """(kind, name, size in bytes) of every file and every object to delete, for display."""
        files: list[tuple[Kind, str, int]] = [("upload", file.name, file.size) for file in self.send]
        files += [("copy", copy.name, copy.size) for copy in self.copy]
        files += [("remove", remote.name, remote.size) for remote in self.remove]
        files += [("keep", file.name, file.size) for file in self.keep]
        return tuple(files)

    def to_json(self) -> dict[str, Any]:
        """The plan as `--format json` prints it."""
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        extra = [remote.name for remote in self.extra]
        return {"destination": str(self.destination), "bytesToSend": self.bytes_to_send, "files": files, "extra": extra}


def plan_upload(
    client: StorageClient,
    files: Iterable[LocalFile],
    destination: GsUri,
    *,
    copy_from: GsUri | None = None,
    delete_extra: bool = False,
    digests: DigestCache | None = None,
) -> UploadPlan:
    """Compare the files with the objects at the destination, by size and CRC32C, after one listing.

    Args:
        client: The endpoint.
        files: The local files.
        destination: Directory in Cloud Storage; a bucket that does not exist counts as empty.
        copy_from: Another version's directory, from which files of equal content are copied by the service.
        delete_extra: Delete the objects without a local file.
        digests: Cache of file digests.

    Raises:
        StorageError: A file cannot be read, its name is invalid for an object, or the listing fails.
    """
    files, digests = list(files), digests or DigestCache()
    with prefetch_digests([file.path for file in files if file.size > MULTIPART_MIN_BYTES], digests):
        remote = list_objects(client, destination)
    others = list_objects(client, copy_from) if copy_from is not None and str(copy_from) != str(destination) else {}
    plan = diff_with_remote(files, destination, remote, digests=digests, delete_extra=delete_extra)
    return with_copies(plan, copy_from, others, digests) if copy_from is not None and others else plan


def diff_with_remote(
    files: Iterable[LocalFile],
    destination: GsUri,
    remote: Mapping[str, RemoteObject],
    *,
    digests: DigestCache | None = None,
    delete_extra: bool = False,
) -> UploadPlan:
    """The plan for a destination with the objects `remote`, without any request."""
    send: list[LocalFile] = []
    keep: list[LocalFile] = []
    names = set()
    with digests or DigestCache() as cache:
        files = list(files)
        cache.prefetch(file.path for file in files if file.name in remote)
        for file in files:
            check_object_name(destination.prefix + file.name)
            names.add(file.name)
            existing = remote.get(file.name)
            same = (
                existing is not None and existing.size == file.size and existing.crc32c == _digest(cache, file).crc32c
            )
            (keep if same else send).append(file)
    extra = tuple(each for name, each in remote.items() if name not in names)
    return UploadPlan(destination, tuple(send), tuple(keep), extra if delete_extra else (), remote, extra=extra)


def with_copies(
    plan: UploadPlan, copy_from: GsUri, others: Mapping[str, RemoteObject], digests: DigestCache | None = None
) -> UploadPlan:
    """The plan with server-side copies of those objects below `copy_from` (`others`) that have the same content."""
    by_size: dict[int, dict[str, RemoteObject]] = {}
    for remote in others.values():
        if remote.content_hash:
            by_size.setdefault(remote.size, {})[remote.content_hash] = remote
    send: list[LocalFile] = []
    copy: list[ServerSideCopy] = []
    with digests or DigestCache() as cache:
        cache.prefetch(file.path for file in plan.send if file.size in by_size)
        for file in plan.send:
            candidates = by_size.get(file.size, {}) if file.size else {}
            digest = _digest(cache, file) if candidates else None
            source = candidates.get(digest.content_hash) if digest else None
            if digest is None or source is None:
                send.append(file)
            else:
                source = dataclasses.replace(source, name=copy_from.prefix + source.name)
                copy.append(ServerSideCopy(file, source, copy_from.bucket, digest))
    return dataclasses.replace(plan, send=tuple(send), copy=tuple(copy))


def _digest(cache: DigestCache, file: LocalFile) -> Digest:
    try:
        return cache.get(file.path)
    except OSError as error:
        raise unreadable_file_error(file.path, error) from error


def unreadable_file_error(path: Path, error: OSError) -> StorageError:
    """The error for a local file that cannot be read."""
    reason = error.strerror or str(error)
    return StorageError(_("could not read the file: {reason}", reason=reason), where=str(path))

"""What an upload will do, as a value: made from the local files and one listing, shown before anything is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.ahead import reading_ahead
from aip_magics.storage.checksums import Digest
from aip_magics.storage.digests import Digests
from aip_magics.storage.names import GsUri, check_object_name
from aip_magics.storage.objects import Remote, listing
from aip_magics.storage.store import Store

LARGE = 64 << 20  # bytes above which a file goes in parts
Kind = Literal["upload", "copy", "keep", "remove"]


class LocalFile(Protocol):
    """What is asked of a file to upload (artifacts.File has it). `name` is relative, with `/`; `size` in bytes."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Copy:
    """A file whose content lies in Cloud Storage already: `source` (in `bucket`) is copied there, no byte is sent."""

    file: LocalFile
    source: Remote
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
    """What has to be done so that `destination` holds these files.

    `send`, `copy` and `keep` are the files, `extra` the objects that lie there without a file, `remove` those of them
    that will be deleted (all or none). `remote` is all that lay there, by name relative to the destination.
    """

    panel_kind: ClassVar[str] = "upload"
    destination: GsUri
    send: tuple[LocalFile, ...]
    keep: tuple[LocalFile, ...]
    remove: tuple[Remote, ...]
    remote: Mapping[str, Remote]
    copy: tuple[Copy, ...] = ()
    extra: tuple[Remote, ...] = ()

    @property
    def bytes_to_send(self) -> int:
        return sum(file.size for file in self.send)

    @property
    def unchanged(self) -> bool:
        """Nothing is to be done."""
        return not (self.send or self.copy or self.remove)

    @property
    def rows(self) -> tuple[tuple[Kind, str, int], ...]:
        """(kind, name, size in bytes) of everything that is done or left alone, for showing."""
        files: list[tuple[Kind, str, int]] = [("upload", file.name, file.size) for file in self.send]
        files += [("copy", copy.name, copy.size) for copy in self.copy]
        files += [("remove", remote.name, remote.size) for remote in self.remove]
        files += [("keep", file.name, file.size) for file in self.keep]
        return tuple(files)

    def to_json(self) -> dict[str, Any]:
        """What `--format json` prints of it."""
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        extra = [remote.name for remote in self.extra]
        return {"destination": str(self.destination), "bytesToSend": self.bytes_to_send, "files": files, "extra": extra}


def plan(
    store: Store,
    files: Iterable[LocalFile],
    destination: GsUri,
    *,
    copy_from: GsUri | None = None,
    delete_extra: bool = False,
    digests: Digests | None = None,
) -> UploadPlan:
    """Compare the files with what lies at the destination, by size and CRC32C, after one listing of it.

    A file that is not there is copied from `copy_from` (another version's directory) where that holds the same content,
    by strong hash. `digests` remembers what was read before. StorageError where a file cannot be read, its name cannot
    be an object's, or the listing fails; a bucket that is not there counts as empty.
    """
    files, digests = list(files), digests or Digests()
    with reading_ahead([file.path for file in files if file.size > LARGE], digests):
        remote = listing(store, destination)
    others = listing(store, copy_from) if copy_from is not None and str(copy_from) != str(destination) else {}
    made = compare(files, destination, remote, digests=digests, delete_extra=delete_extra)
    return with_copies(made, copy_from, others, digests) if copy_from is not None and others else made


def compare(
    files: Iterable[LocalFile],
    destination: GsUri,
    remote: Mapping[str, Remote],
    *,
    digests: Digests | None = None,
    delete_extra: bool = False,
) -> UploadPlan:
    """The plan for a destination that holds `remote`; contacts nothing."""
    send: list[LocalFile] = []
    keep: list[LocalFile] = []
    names = set()
    with digests or Digests() as known:
        files = list(files)
        known.look_up(file.path for file in files if file.name in remote)
        for file in files:
            check_object_name(destination.prefix + file.name)
            names.add(file.name)
            there = remote.get(file.name)
            same = there is not None and there.size == file.size and there.crc32c == _digest(known, file).crc32c
            (keep if same else send).append(file)
    extra = tuple(there for name, there in remote.items() if name not in names)
    return UploadPlan(destination, tuple(send), tuple(keep), extra if delete_extra else (), remote, extra=extra)


def with_copies(
    made: UploadPlan, copy_from: GsUri, others: Mapping[str, Remote], digests: Digests | None = None
) -> UploadPlan:
    """The plan with files copied server-side where `others`, the objects below `copy_from`, have the same content."""
    by_size: dict[int, dict[str, Remote]] = {}
    for remote in others.values():
        if remote.strong:
            by_size.setdefault(remote.size, {})[remote.strong] = remote
    send: list[LocalFile] = []
    copy: list[Copy] = []
    with digests or Digests() as known:
        known.look_up(file.path for file in made.send if file.size in by_size)
        for file in made.send:
            candidates = by_size.get(file.size, {}) if file.size else {}
            digest = _digest(known, file) if candidates else None
            source = candidates.get(digest.strong) if digest else None
            if digest is None or source is None:
                send.append(file)
            else:
                there = dataclasses.replace(source, name=copy_from.prefix + source.name)
                copy.append(Copy(file, there, copy_from.bucket, digest))
    return dataclasses.replace(made, send=tuple(send), copy=tuple(copy))


def _digest(known: Digests, file: LocalFile) -> Digest:
    try:
        return known.of(file.path)
    except OSError as error:
        raise unreadable(file.path, error) from error


def unreadable(path: Path, error: OSError) -> StorageError:
    why = error.strerror or str(error)
    return StorageError(_("the file cannot be read ({why})", why=why), where=str(path))

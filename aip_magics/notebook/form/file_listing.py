"""What lies in a folder of this machine or of Cloud Storage, for whoever looks for a model."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Target

MAX_ENTRIES = 500  # of one folder; a list of more is nothing to choose from
BUCKETS = "gs://"


@dataclasses.dataclass(frozen=True)
class DirectoryEntry:
    """A folder, bucket or file: `place` is its path or gs:// name; a folder's name ends with a slash."""

    name: str
    place: str

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclasses.dataclass(frozen=True)
class DirectoryListing:
    """What lies at a place, folders first. `more`: there is more than is listed."""

    place: str
    entries: tuple[DirectoryEntry, ...]
    more: bool = False


def listing(place: str, target: Target) -> DirectoryListing:
    """The listing of a local folder (but hidden files), of a `gs://BUCKET/FOLDER/`, or of all buckets (`gs://`).

    AipError where it cannot be read. What lies in Cloud Storage is asked of the target, over the network.
    """
    if not place.startswith(BUCKETS):
        return _local(Path(place).expanduser())
    target.connect()
    return _objects(place, target) if place != BUCKETS else _buckets(target)


def above(place: str) -> str:
    """The place that this one lies in; at the top, the same place."""
    if place.startswith(BUCKETS):
        inner = place.removeprefix(BUCKETS).rstrip("/")
        folder, slash, _tail = inner.rpartition("/")
        return f"{BUCKETS}{folder}{slash}"
    return str(Path(place).expanduser().absolute().parent)


def start(origin: str) -> str:
    """Where to begin to look: in the folder that is named already, else in the working directory."""
    if origin.startswith(BUCKETS):
        return f"{origin.rstrip('/')}/" if origin != BUCKETS else BUCKETS
    path = Path(origin or os.curdir).absolute()
    return str(next((folder for folder in (path, *path.parents) if folder.is_dir()), path))


def _local(path: Path) -> DirectoryListing:
    try:
        with os.scandir(path) as found:
            shown = (entry for entry in found if not entry.name.startswith("."))
            some = [(entry.name, entry.is_dir()) for entry in itertools.islice(shown, MAX_ENTRIES + 1)]
    except OSError as error:
        text = _("the folder cannot be read ({reason})", reason=error.strerror or error)
        raise ModelDirError(text, where=str(path)) from None
    entries = [DirectoryEntry(f"{name}/" if folder else name, str(path / name)) for name, folder in some[:MAX_ENTRIES]]
    return DirectoryListing(str(path), _sorted(entries), len(some) > MAX_ENTRIES)


def _buckets(target: Target) -> DirectoryListing:
    from aip_magics.storage.faults import storage_errors

    with storage_errors(BUCKETS):
        names = [bucket.name for bucket in target.storage.list_buckets(max_results=MAX_ENTRIES + 1)]
    entries = [DirectoryEntry(f"{name}/", f"{BUCKETS}{name}/") for name in names[:MAX_ENTRIES]]
    return DirectoryListing(BUCKETS, _sorted(entries), len(names) > MAX_ENTRIES)


def _objects(place: str, target: Target) -> DirectoryListing:
    from aip_magics.storage import GsUri
    from aip_magics.storage.faults import storage_errors

    uri = GsUri.parse(place)
    with storage_errors(place):
        found = target.storage.list_blobs(uri.bucket, prefix=uri.prefix, delimiter="/", max_results=MAX_ENTRIES + 1)
        names = [blob.name for blob in found]  # the folders are known when the objects have been read
        names = [name.removeprefix(uri.prefix) for name in [*found.prefixes, *names] if name != uri.prefix]
    entries = [DirectoryEntry(name, f"{uri}{name}") for name in names[:MAX_ENTRIES]]
    return DirectoryListing(str(uri), _sorted(entries), len(names) > MAX_ENTRIES)


def _sorted(entries: list[DirectoryEntry]) -> tuple[DirectoryEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: (not entry.is_folder, entry.name)))

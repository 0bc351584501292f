"""Listings of local directories, Cloud Storage directories and buckets, for Browse."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Target

MAX_ENTRIES = 500  # of a directory; longer lists are unusable
BUCKETS = "gs://"


@dataclasses.dataclass(frozen=True)
class DirectoryEntry:
    """A directory, bucket or file. `uri` is its path or gs:// name; the name of a directory ends with a slash."""

    name: str
    uri: str

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclasses.dataclass(frozen=True)
class DirectoryListing:
    """The entries of a directory, directories first. `more`: the listing is incomplete."""

    uri: str
    entries: tuple[DirectoryEntry, ...]
    more: bool = False


def list_directory(uri: str, target: Target) -> DirectoryListing:
    """List a local directory (without hidden files), a `gs://BUCKET/DIRECTORY/`, or all buckets (`gs://`).

    Args:
        uri: A path or gs:// name.
        target: The target whose Cloud Storage is listed, over the network.

    Raises:
        AipError: The directory could not be read.
    """
    if not uri.startswith(BUCKETS):
        return _local(Path(os.path.expanduser(uri)))
    target.connect()
    return _objects(uri, target) if uri != BUCKETS else _buckets(target)


def get_parent(uri: str) -> str:
    """The parent directory; at the top, the directory itself."""
    if uri.startswith(BUCKETS):
        inner = uri.removeprefix(BUCKETS).rstrip("/")
        directory, slash, _tail = inner.rpartition("/")
        return f"{BUCKETS}{directory}{slash}"
    return str(Path(os.path.expanduser(uri)).absolute().parent)


def get_start(origin: str) -> str:
    """The directory to list first: that of the origin, else the working directory."""
    if origin.startswith(BUCKETS):
        return f"{origin.rstrip('/')}/" if origin != BUCKETS else BUCKETS
    path = Path(origin or os.curdir).absolute()
    return str(next((parent for parent in (path, *path.parents) if parent.is_dir()), path))


def _local(path: Path) -> DirectoryListing:
    try:
        with os.scandir(path) as found:
            shown = (entry for entry in found if not entry.name.startswith("."))
            some = [(entry.name, entry.is_dir()) for entry in itertools.islice(shown, MAX_ENTRIES + 1)]
    except OSError as error:
        text = _("could not read the directory: {reason}", reason=error.strerror or error)
        raise ModelDirError(text, where=str(path)) from None
    entries = [
        DirectoryEntry(f"{name}/" if is_directory else name, str(path / name))
        for name, is_directory in some[:MAX_ENTRIES]
    ]
    return DirectoryListing(str(path), _sorted(entries), len(some) > MAX_ENTRIES)


def _buckets(target: Target) -> DirectoryListing:
    from aip_magics.storage.http.google_client_errors import translate_google_errors

    with translate_google_errors(BUCKETS):
        names = [bucket.name for bucket in target.google_storage_client.list_buckets(max_results=MAX_ENTRIES + 1)]
    entries = [DirectoryEntry(f"{name}/", f"{BUCKETS}{name}/") for name in names[:MAX_ENTRIES]]
    return DirectoryListing(BUCKETS, _sorted(entries), len(names) > MAX_ENTRIES)


def _objects(origin: str, target: Target) -> DirectoryListing:
    from aip_magics.storage import GsUri
    from aip_magics.storage.http.google_client_errors import translate_google_errors

    uri = GsUri.parse(origin)
    with translate_google_errors(origin):
        found = target.google_storage_client.list_blobs(
            uri.bucket, prefix=uri.prefix, delimiter="/", max_results=MAX_ENTRIES + 1
        )
        names = [blob.name for blob in found]  # prefixes are complete only after all objects
        names = [name.removeprefix(uri.prefix) for name in [*found.prefixes, *names] if name != uri.prefix]
    entries = [DirectoryEntry(name, f"{uri}{name}") for name in names[:MAX_ENTRIES]]
    return DirectoryListing(str(uri), _sorted(entries), len(names) > MAX_ENTRIES)


def _sorted(entries: list[DirectoryEntry]) -> tuple[DirectoryEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: (not entry.is_directory, entry.name)))

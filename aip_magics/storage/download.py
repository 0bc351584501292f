"""Objects as local files that stay: downloaded once, found again as long as the objects are the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.cache import Cache
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import find, listing
from aip_magics.storage.pull import fetch_all
from aip_magics.storage.pull_plan import bad_name
from aip_magics.storage.store import Store


def download(store: Store, uri: str, path: Path) -> None:
    """Download the object `gs://BUCKET/NAME` to `path`.

    The bytes are checked against the object's crc32c; `path` appears at once and whole. StorageError where the object
    is missing, replaced meanwhile or damaged on the way.
    """
    bucket, _sep, name = uri.removeprefix("gs://").partition("/")
    remote = find(store, bucket, name)
    if remote is None:
        raise _missing(uri)
    fetch_all(store, [(bucket, remote, path)])


def fetch_file(store: Store, uri: str, cache: Cache) -> Path:
    """The object as a local file of the same name, downloaded unless this very object was before."""
    bucket, _sep, name = uri.removeprefix("gs://").partition("/")
    remote = find(store, bucket, name)
    if remote is None:
        raise _missing(uri)
    base = name.rpartition("/")[2]
    if bad_name(base):
        raise StorageError(_("an object of this name cannot become a file"), where=uri)

    def fill(folder: Path) -> None:
        fetch_all(store, [(bucket, remote, folder / base)])

    return cache.entry([uri, remote.size, remote.crc32c], fill) / base


def fetch_directory(store: Store, directory: GsUri, cache: Cache, limit: int) -> Path | str:
    """The directory as a local one, downloaded unless these very objects were before.

    Where it is empty, larger than `limit` bytes or holds names that cannot be files, the reason as a text instead.
    """
    objects = [remote for name, remote in sorted(listing(store, directory).items()) if not name.endswith("/")]
    total = sum(remote.size for remote in objects)
    if not objects:
        return _("{directory} was not found or holds no files", directory=directory)
    if total > limit:
        return _(
            "{directory} holds {total:.0f} MB; at most {limit:.0f} MB are downloaded",
            directory=directory,
            total=total / 1e6,
            limit=limit / 1e6,
        )
    if bad := next((remote.name for remote in objects if bad_name(remote.name)), None):
        return _("the object {name} cannot become a file", name=bad)

    def fill(folder: Path) -> None:
        named = [(dataclasses.replace(one, name=directory.prefix + one.name), folder / one.name) for one in objects]
        fetch_all(store, [(directory.bucket, remote, path) for remote, path in named])

    return cache.entry([str(directory), *((one.name, one.size, one.crc32c) for one in objects)], fill)


def _missing(uri: str) -> StorageError:
    fix = _("look at the name again: gcloud storage ls gs://BUCKET")
    return StorageError(_("the object was not found"), where=uri, fix=fix)

"""Downloads into a cache: found again as long as the objects are the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from aip_magics.directory_cache import DirectoryCache, key_digest
from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.download.download_plan import is_invalid_file_name
from aip_magics.storage.download.object_download import download_objects, existing_object
from aip_magics.storage.gs_uri import GsUri
from aip_magics.storage.http.client import StorageClient
from aip_magics.storage.object_api import list_objects


def cached_file(client: StorageClient, uri: str, cache: DirectoryCache) -> Path:
    """The object as a local file of the same name, downloaded unless the cache has this very object."""
    bucket, remote = existing_object(client, uri)
    base = remote.name.rpartition("/")[2]
    if is_invalid_file_name(base):
        raise StorageError(_("the object name is invalid for a file"), where=uri)

    def build(directory: Path) -> None:
        download_objects(client, [(bucket, remote, directory / base)])

    return cache.get_or_build(key_digest([uri, remote.size, remote.crc32c]), build) / base


def cached_directory(client: StorageClient, directory: GsUri, cache: DirectoryCache, limit: int) -> Path | str:
    """The objects below `directory` as a local directory, downloaded unless the cache has these very objects.

    The reason as a text if there are no objects, their size exceeds `limit` bytes or a name is invalid for a file.
    """
    objects = [remote for name, remote in sorted(list_objects(client, directory).items()) if not name.endswith("/")]
    total = sum(remote.size for remote in objects)
    if not objects:
        return _("no objects found in {directory}", directory=directory)
    if total > limit:
        return _(
            "{directory} has {total:.0f} MB; at most {limit:.0f} MB are downloaded",
            directory=directory,
            total=total / 1e6,
            limit=limit / 1e6,
        )
    if invalid := next((remote.name for remote in objects if is_invalid_file_name(remote.name)), None):
        return _("the object name {name} is invalid for a file", name=invalid)

    def build(path: Path) -> None:
        named = [(dataclasses.replace(one, name=directory.prefix + one.name), path / one.name) for one in objects]
        download_objects(client, [(directory.bucket, remote, file) for remote, file in named])

    key = [str(directory), *((one.name, one.size, one.crc32c) for one in objects)]
    return cache.get_or_build(key_digest(key), build)

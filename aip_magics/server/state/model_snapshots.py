"""Snapshots of model directories, named by their content: a READY version does not depend on the source objects.

`<data>/artifacts/<sha256 of the manifest>/` has the files of a directory at the time when its version was created; two
versions with the same files share the snapshot. Blobs of the object store never change, so a hard link is a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from aip_magics.errors import FailedPrecondition, NotFound
from aip_magics.server.conventions.error_responses import violation

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore, StoredObject

_FIELD = "version.deployment_uri"

Files = Sequence[tuple[str, "StoredObject"]]  # (path below the directory, object)


def list_model_files(object_store: ObjectStore, uri: str) -> Files:
    """List the files below `gs://BUCKET/DIRECTORY`; FailedPrecondition when bucket or directory do not exist."""
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    try:
        listed = object_store.list(bucket, prefix)
    except NotFound:
        raise violation(FailedPrecondition, _FIELD, f"The bucket gs://{bucket} was not found.") from None
    # Other tools create an empty object `dir/` as a placeholder of a directory.
    files = [(obj.name[len(prefix) :], obj) for obj in listed if not (obj.name.endswith("/") and obj.size == 0)]
    if not files:
        raise violation(FailedPrecondition, _FIELD, f"Deployment directory {uri} was not found or holds no files.")
    names = {name for name, _ in files}
    for name, obj in files:
        if not _is_safe(name, names):
            text = f"The object gs://{bucket}/{obj.name} cannot become a file of the model directory."
            raise violation(FailedPrecondition, _FIELD, text)
    return sorted(files, key=lambda file: file[0])


def _is_safe(name: str, names: set[str]) -> bool:
    """Return whether an object name, which may be any text, is a relative path that stays in the directory."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts) or "\0" in name:
        return False
    if any("/".join(parts[:count]) in names for count in range(1, len(parts))):
        return False  # `x` and `x/y` are legal object names, but cannot be a file and a directory
    return os.name != "nt" or not ("\\" in name or PureWindowsPath(name).drive)


def digest(files: Files) -> str:
    """Return the sha256 of the manifest: names, sizes and checksums."""
    # A composed object has no md5, and crc32c alone would be too weak: such an object is only equal to itself.
    lines = [(name, obj.size, obj.crc32c, obj.md5 or [obj.bucket, obj.name, obj.generation]) for name, obj in files]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


class ModelSnapshots:
    """The directory of snapshots. Blocking: call `create` in a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return the directory of a snapshot."""
        return self._directory / name

    def create(self, object_store: ObjectStore, files: Files) -> str:
        """Create a snapshot of the files atomically; return its name.

        FileNotFoundError when an object was deleted or replaced since the listing.
        """
        name = digest(files)
        if self.path(name).is_dir():
            return name
        building = Path(tempfile.mkdtemp(dir=self._directory, prefix="building-"))
        try:
            for relative, obj in files:
                target = building / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(object_store.path(obj), target)
            building.rename(self.path(name))
        except OSError:
            if not self.path(name).is_dir():  # otherwise a concurrent create of the same files was faster
                raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return name

    def remove(self, name: str) -> None:
        """Delete a snapshot."""
        shutil.rmtree(self.path(name), ignore_errors=True)

    def keep_only(self, needed: Iterable[str]) -> None:
        """At startup, delete the snapshots that no version needs and those that a killed server left incomplete."""
        for name in set(os.listdir(self._directory)) - set(needed):
            self.remove(name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links, or with too many links to the file
        shutil.copyfile(source, target)

"""Packages of custom code that lie on this machine: uploaded under their content, so that none moves twice."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.storage import GsUri

FOLDER = "packages"


@dataclasses.dataclass(frozen=True)
class PackageFile:
    """A file to upload to `destination`, a directory that only this content has. `size` is in bytes."""

    name: str
    path: Path
    size: int
    destination: GsUri

    @property
    def uri(self) -> str:
        return f"{self.destination}{self.name}"


def is_remote(package: str) -> bool:
    """Whether this entry of packageUris lies in Cloud Storage already."""
    return package.startswith("gs://")


def local_path(package: str) -> Path:
    """The file that an entry of packageUris names, with `~` expanded."""
    return Path(package).expanduser()


def in_bucket(packages: Iterable[str], bucket: str) -> tuple[tuple[str, ...], tuple[PackageFile, ...]]:
    """packageUris as the Version has them, `gs://BUCKET/packages/SHA256/NAME` for files, and the files to upload.

    The same content has the same URI, so that two versions with the same code compare as equal. OptionError where a
    file cannot be read.
    """
    uris: list[str] = []
    files: dict[str, PackageFile] = {}
    for package in packages:
        if not is_remote(package):
            file = _file(local_path(package), bucket)
            files[file.uri] = file
            package = file.uri
        uris.append(package)
    return tuple(uris), tuple(files.values())


def _file(path: Path, bucket: str) -> PackageFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        text = _("the package cannot be read ({reason})", reason=error.strerror or error)
        raise OptionError(text, where=f"packageUris: {path}", fix=_("name a .tar.gz or .whl file")) from None
    destination = GsUri(bucket).child(FOLDER, hashlib.sha256(content).hexdigest())
    return PackageFile(path.name, path, len(content), destination)

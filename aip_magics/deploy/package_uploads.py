"""Local packages of custom code: each is uploaded to a path named by its content, so that it is uploaded only once."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from aip_magics import local_path as paths
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.storage import GsUri

PACKAGES_DIR = "packages"  # in the bucket


@dataclasses.dataclass(frozen=True)
class PackageFile:
    """A package to upload to `destination`, a directory named by the content. `size` is in bytes."""

    name: str
    path: Path
    size: int
    destination: GsUri

    @property
    def uri(self) -> str:
        """The gs:// URI of the uploaded package."""
        return f"{self.destination}{self.name}"


def is_remote(package: str) -> bool:
    """Whether this entry of packageUris is already in Cloud Storage."""
    return package.startswith("gs://")


def local_path(package: str) -> Path:
    """Return the local path of an entry of packageUris, with `~` expanded. OptionError if the entry is a URL."""
    return paths.local_path(package, OptionError)


def resolve_package_uris(packages: Iterable[str], bucket: str) -> tuple[tuple[str, ...], tuple[PackageFile, ...]]:
    """Replace the local packages by their future URIs, `gs://BUCKET/packages/SHA256/NAME`.

    The same content has the same URI, so that two versions with the same code compare as equal.

    Args:
        packages: gs:// URIs and local paths.
        bucket: The bucket that local files are uploaded to.

    Returns:
        The packageUris of the Version, and the files to upload.

    Raises:
        OptionError: A file cannot be read.
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
        text = _("could not read the package: {reason}", reason=error.strerror or error)
        raise OptionError(text, where=f"packageUris: {path}", fix=_("use a .tar.gz or .whl file")) from None
    destination = GsUri(bucket).child(PACKAGES_DIR, hashlib.sha256(content).hexdigest())
    return PackageFile(path.name, path, len(content), destination)

"""Write a source distribution. The same files give the same bytes: what is named by its content moves only once."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path

from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.sdist.sources import Sources

_TIME = 315532800  # 1980-01-01: wheels are zip files, which know nothing earlier


def write(sources: Sources, name: str, version: str, folder: Path) -> Path:
    """`folder/NAME-VERSION.tar.gz`, with a setup.py of its own. InputError where it cannot be written."""
    # The file name of PEP 625: pip and the service know it by that.
    base = f"{name.lower().replace('-', '_').replace('.', '_')}-{version}"
    members = {"PKG-INFO": _pkg_info(name, version), "setup.py": _setup(sources, name, version)}
    members |= {member: path.read_bytes() for member, path in sources.files.items()}
    made = folder / f"{base}.tar.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".aip-", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_packed({f"{base}/{member}": content for member, content in members.items()}))
            os.chmod(scratch, 0o644)
            os.replace(scratch, made)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise InputError(
            _("the package cannot be written: {strerror}", strerror=error.strerror),
            where=str(made),
            fix=_("--output DIR"),
        ) from None
    return made


def _packed(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # No file name and no time in the header of gzip; plain names, no owner, one time in those of tar.
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=_TIME) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in sorted(members.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(content), _TIME, 0o644
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _setup(sources: Sources, name: str, version: str) -> bytes:
    fields = {
        "name": name,
        "version": version,
        "py_modules": list(sources.modules),
        "packages": list(sources.packages),
        "package_data": {package: list(names) for package, names in sources.data.items()},
    }
    lines = [f"    {field}={value!r}," for field, value in fields.items()]
    text = "\n".join(["from setuptools import setup", "", "setup(", *lines, ")", ""])
    return text.encode("utf-8")


def _pkg_info(name: str, version: str) -> bytes:
    return f"Metadata-Version: 1.2\nName: {name}\nVersion: {version}\n".encode()

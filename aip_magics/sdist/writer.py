"""Write a reproducible source distribution: unchanged code keeps its digest and is not uploaded again."""

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

_TIME = 315532800  # 1980-01-01, the earliest time that a wheel (a zip file) can hold


def write(sources: Sources, name: str, version: str, directory: Path) -> Path:
    """Write `directory/NAME-VERSION.tar.gz` with a generated setup.py. InputError if the file cannot be written."""
    # pip and the service expect the file name of PEP 625.
    base = f"{name.lower().replace('-', '_').replace('.', '_')}-{version}"
    members = {"PKG-INFO": _pkg_info(name, version), "setup.py": _setup(sources, name, version)}
    members |= {member: path.read_bytes() for member, path in sources.files.items()}
    archive = directory / f"{base}.tar.gz"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".aip-", dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_pack({f"{base}/{member}": content for member, content in members.items()}))
            os.chmod(scratch, 0o644)
            os.replace(scratch, archive)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise InputError(
            _("could not write the package: {strerror}", strerror=error.strerror),
            where=str(archive),
            fix=_("use --output DIR with a writable directory"),
        ) from None
    return archive


def _pack(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # Reproducible headers: gzip without file name and time, tar with a fixed time and without owner.
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
    if sources.requires:
        fields["install_requires"] = list(sources.requires)
    lines = [f"    {field}={value!r}," for field, value in fields.items()]
    text = "\n".join(["from setuptools import setup", "", "setup(", *lines, ")", ""])
    return text.encode("utf-8")


def _pkg_info(name: str, version: str) -> bytes:
    return f"Metadata-Version: 1.2\nName: {name}\nVersion: {version}\n".encode()

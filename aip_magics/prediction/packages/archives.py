"""Look into a package archive before anything of it is run: is it one, and does all of it stay inside?

The bytes are anyone's. Never more than `UNPACKED_BYTES` are decompressed, and nothing is written.
"""

from __future__ import annotations

import dataclasses
import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from aip_magics.prediction.packages.failures import failed

UNPACKED_BYTES = 2 << 30  # the service's machines for custom code have 2 GB of memory in all
MEMBERS = 50_000
_HEADER_BYTES = 1 << 20  # of one tar header; paths need a few hundred
_PYPROJECT_BYTES = 1 << 20
_SDIST_FIX = "make one with %aip_package, or with `python setup.py sdist --formats=gztar`"
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


@dataclasses.dataclass(frozen=True)
class Archive:
    """A package archive that may be given to the installer. `pyproject` is the text of its pyproject.toml, if any."""

    path: Path
    members: frozenset[str]
    pyproject: bytes | None = None

    @property
    def is_wheel(self) -> bool:
        return self.path.name.endswith(".whl")


@dataclasses.dataclass(frozen=True)
class _Member:
    name: str
    size: int
    link: str | None = None  # where a symbolic link leads, from the folder it lies in
    special: bool = False  # a device, a pipe


class _Refused(Exception):
    """What is wrong with the archive, and how to mend it."""

    def __init__(self, reason: str, fix: str = "build the archive again, from a clean folder") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def examine(path: Path) -> Archive:
    """Look at a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    PredictionError (FAILED_TO_LOAD_MODEL) where it is damaged, no package, has a member that leads out of it, or
    unpacks to more than `UNPACKED_BYTES`.
    """
    try:
        if path.name.endswith((".tar.gz", ".tgz")):
            archive = _read_tar(path)
        elif path.name.endswith((".zip", ".whl")):
            archive = _read_zip(path)
        else:
            raise _Refused("it is neither a .tar.gz, a .zip nor a .whl", _SDIST_FIX)
        _is_package(archive)
    except _Refused as refused:
        raise failed(path.name, refused.reason, fix=refused.fix) from None
    except _DAMAGED as error:
        raise failed(path.name, _damage(path, error), fix=_SDIST_FIX) from error
    return archive


class _Bounded(gzip.GzipFile):
    """The decompressed bytes of a tar: a header that claims to be huge is not read into memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _HEADER_BYTES:
            raise _Refused("it has a header of more than 1 MiB")
        return super().read(size)


def _read_tar(path: Path) -> Archive:
    pyproject = None
    bounds = _Bounds()
    with _Bounded(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        # One after the other: each is judged before what comes after it is decompressed.
        while (info := tar.next()) is not None:
            bounds.admit(_tar_member(info))
            if _is_top(info.name, "pyproject.toml") and info.isreg() and info.size <= _PYPROJECT_BYTES:
                extracted = tar.extractfile(info)
                pyproject = extracted.read() if extracted else None
    return Archive(path, frozenset(bounds.names), pyproject)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    link = info.linkname if info.issym() or info.islnk() else None
    if info.islnk() and not info.linkname.startswith("/"):  # named from the top of the archive, not from its folder
        link = "/".join([".."] * (len(PurePosixPath(info.name).parts) - 1) + [info.linkname])
    return _Member(info.name, info.size, link, special=info.isdev())


def _read_zip(path: Path) -> Archive:
    bounds = _Bounds()
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            bounds.admit(_zip_member(info))
        if damaged := file.testzip():  # a member that is larger than it claims fails its checksum
            raise _Refused(f"its member {damaged!r} is damaged")
        found = [info for info in file.infolist() if _is_top(info.filename, "pyproject.toml")]
        small = found and found[0].file_size <= _PYPROJECT_BYTES
        return Archive(path, frozenset(bounds.names), file.read(found[0]) if small else None)


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    if info.flag_bits & 1:
        raise _Refused("it is encrypted")
    return _Member(info.orig_filename, info.file_size, special=stat.S_ISLNK(info.external_attr >> 16))


class _Bounds:
    """Lets members in as long as each stays inside the archive's folder, and all together within the limits."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._count = self._size = 0
        self._links: set[PurePosixPath] = set()

    def admit(self, member: _Member) -> None:
        self._count += 1
        self._size += member.size
        if self._count > MEMBERS:
            raise _Refused(f"it has more than {MEMBERS} members")
        if self._size > UNPACKED_BYTES:
            raise _Refused(f"it unpacks to more than {UNPACKED_BYTES >> 30} GiB")
        path = PurePosixPath(member.name)
        if _leads_out(member.name) or self._links.intersection(path.parents):
            raise _Refused(f"its member {member.name!r} leads out of it")
        if member.special:
            raise _Refused(f"its member {member.name!r} is a device, a pipe or a link in a zip")
        if member.link is not None:
            if _link_leads_out(path, member.link):
                raise _Refused(f"its link {member.name!r} leads out of it, to {member.link!r}")
            self._links.add(path)
        self.names.add(member.name)


def _leads_out(name: str) -> bool:
    absolute = name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None
    return absolute or not name.isprintable() or "\\" in name or ".." in PurePosixPath(name).parts


def _link_leads_out(path: PurePosixPath, target: str) -> bool:
    parts = PurePosixPath(target).parts
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    # `..` after a name may go up from wherever that name, itself a link, leads.
    return _leads_out("/".join(parts[ups:])) or ups > len(path.parts) - 1


def _is_package(archive: Archive) -> None:
    if archive.is_wheel:
        if not any(re.fullmatch(r"[^/]+\.dist-info/METADATA", name) for name in archive.members):
            raise _Refused("it is no wheel: it has no .dist-info/METADATA", "build it with `pip wheel --no-deps .`")
    elif not any(_is_top(name, file) for name in archive.members for file in ("setup.py", "pyproject.toml")):
        raise _Refused("it is no source distribution: it has neither a setup.py nor a pyproject.toml", _SDIST_FIX)


def _is_top(name: str, file: str) -> bool:
    """Whether this is `file` itself or `NAME-VERSION/file`."""
    parts = PurePosixPath(name).parts
    return parts[-1:] == (file,) and len(parts) <= 2


def _damage(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as unreadable:
        return f"it cannot be read: {unreadable.strerror}"
    if not head:
        return "it is empty"
    if re.match(rb"\s*<(?:!doctype html|html|head|\?xml)", head, re.IGNORECASE):
        return "it is a page of the web, not an archive"
    kind = "a gzip-compressed tar archive" if path.name.endswith(("gz",)) else "a zip archive"
    return f"it is not {kind}, or a damaged one: {error}"

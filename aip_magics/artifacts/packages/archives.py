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
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from aip_magics.artifacts.packages.directory import count_members
from aip_magics.language import say

UNPACKED_BYTES = 2 << 30  # the service's machines for custom code have 2 GB of memory in all
MEMBERS = 50_000
_HEADER_BYTES = 1 << 20  # of one tar header; paths need a few hundred
_NAME_CHARACTERS = 4096  # no file system takes longer paths; each folder of one is looked at
_TEXT_BYTES = 1 << 20  # of one member that is kept
_TEXTS_BYTES = 16 << 20  # of all of them
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


@dataclasses.dataclass(frozen=True)
class Archive:
    """A package archive that holds together. `texts` are the contents of the members that were asked for.

    A member that is kept has at most 1 MiB, all together 16. `complete` is False where it unpacks to more than was to
    be looked at: then members are missing here.
    """

    path: Path
    members: frozenset[str]
    texts: Mapping[str, bytes]
    complete: bool = True

    @property
    def is_wheel(self) -> bool:
        return self.path.name.endswith(".whl")

    @property
    def pyproject(self) -> bytes | None:
        """The text of its pyproject.toml, where that was asked for and is there."""
        return next((text for name, text in self.texts.items() if is_top(name, "pyproject.toml")), None)


@dataclasses.dataclass(frozen=True)
class _Member:
    name: str
    size: int
    link: str | None = None  # where a symbolic link leads, from the folder it lies in
    special: bool = False  # a device, a pipe


class Refused(Exception):
    """What is wrong with the archive, and how to mend it."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix or say("build the archive again, from a clean folder")


def read(path: Path, keep: Callable[[str], bool], *, most: int | None = None) -> Archive:
    """Look at a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    The texts of the members that `keep` wants are kept. Refused where it is damaged, no package, has a member that
    leads out of it, or unpacks to more than `UNPACKED_BYTES`. With `most` only so many bytes are decompressed (zip
    archives then are not tested whole): the archive is not `complete` where it has more.
    """
    try:
        if path.name.endswith((".tar.gz", ".tgz")):
            archive = _read_tar(path, keep, most)
        elif path.name.endswith((".zip", ".whl")):
            archive = _read_zip(path, keep, whole=most is None)
        else:
            raise Refused(say("it is neither a .tar.gz, a .zip nor a .whl"), _sdist_fix())
        if archive.complete:
            _is_package(archive)
    except _DAMAGED as error:
        raise Refused(_damage(path, error), _sdist_fix()) from error
    return archive


def _too_many() -> Refused:
    return Refused(say("it has more than {count} members", count=MEMBERS))


def is_top(name: str, file: str) -> bool:
    """Whether this is `file` itself or `NAME-VERSION/file`."""
    parts = PurePosixPath(name).parts
    return parts[-1:] == (file,) and len(parts) <= 2


def _sdist_fix() -> str:
    return say("make one with %aip_package, or with `python setup.py sdist --formats=gztar`")


class _Bounded(gzip.GzipFile):
    """The decompressed bytes of a tar: a header that claims to be huge is not read into memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _HEADER_BYTES:
            raise Refused(say("it has a header of more than 1 MiB"))
        return super().read(size)


def _read_tar(path: Path, keep: Callable[[str], bool], most: int | None) -> Archive:
    bounds, texts = _Bounds(), _Texts(keep)
    with _Bounded(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        # One after the other: each is judged before what comes after it is decompressed.
        while (info := tar.next()) is not None:
            bounds.admit(_tar_member(info))
            if info.isreg() and texts.want(info.name, info.size) and (extracted := tar.extractfile(info)):
                texts.found[info.name] = extracted.read()
            if most is not None and bounds.size > most:
                return Archive(path, frozenset(bounds.names), texts.found, complete=False)
    return Archive(path, frozenset(bounds.names), texts.found)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    link = info.linkname if info.issym() or info.islnk() else None
    # A hard link is named from the top of the archive, not from its folder. Of a name that is refused it is the same.
    if info.islnk() and not info.linkname.startswith("/") and len(info.name) <= _NAME_CHARACTERS:
        link = "/".join([".."] * (len(PurePosixPath(info.name).parts) - 1) + [info.linkname])
    return _Member(info.name, info.size, link, special=info.isdev())


def _read_zip(path: Path, keep: Callable[[str], bool], *, whole: bool) -> Archive:
    bounds, texts = _Bounds(), _Texts(keep)
    if count_members(path, MEMBERS) > MEMBERS:
        raise _too_many()
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            bounds.admit(_zip_member(info))
        if whole and (damaged := file.testzip()):  # a member that is larger than it claims fails its checksum
            raise Refused(say("its member {name!r} is damaged", name=damaged))
        for info in file.infolist():
            if texts.want(info.filename, info.file_size):
                with file.open(info) as member:  # with a size: one that lies about its own is not unpacked whole
                    texts.found[info.filename] = member.read(info.file_size + 1)
    return Archive(path, frozenset(bounds.names), texts.found)


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    if info.flag_bits & 1:
        raise Refused(say("it is encrypted"))
    return _Member(info.orig_filename, info.file_size, special=stat.S_ISLNK(info.external_attr >> 16))


class _Texts:
    """The members that are kept, within bounds."""

    def __init__(self, keep: Callable[[str], bool]) -> None:
        self.found: dict[str, bytes] = {}
        self._keep = keep
        self._left = _TEXTS_BYTES

    def want(self, name: str, size: int) -> bool:
        if size > min(_TEXT_BYTES, self._left) or not self._keep(name):
            return False
        self._left -= size
        return True


class _Bounds:
    """Lets members in as long as each stays inside the archive's folder, and all together within the limits."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.size = 0
        self._count = 0
        self._links: set[PurePosixPath] = set()

    def admit(self, member: _Member) -> None:
        self._count += 1
        self.size += member.size
        if self._count > MEMBERS:
            raise _too_many()
        if self.size > UNPACKED_BYTES:
            raise Refused(say("it unpacks to more than {size} GiB", size=UNPACKED_BYTES >> 30))
        if max(len(member.name), len(member.link or "")) > _NAME_CHARACTERS:
            raise Refused(say("it has a name of more than {count} characters", count=_NAME_CHARACTERS))
        path = PurePosixPath(member.name)
        if _leads_out(member.name) or self._links.intersection(path.parents):
            raise Refused(say("its member {name!r} leads out of it", name=member.name))
        if member.special:
            raise Refused(say("its member {name!r} is a device, a pipe or a link in a zip", name=member.name))
        if member.link is not None:
            if _link_leads_out(path, member.link):
                text = say("its link {name!r} leads out of it, to {target!r}", name=member.name, target=member.link)
                raise Refused(text)
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
            text = say("it is no wheel: it has no .dist-info/METADATA")
            raise Refused(text, say("build it with `pip wheel --no-deps .`"))
    elif not any(is_top(name, file) for name in archive.members for file in ("setup.py", "pyproject.toml")):
        raise Refused(say("it is no source distribution: it has neither a setup.py nor a pyproject.toml"), _sdist_fix())


def _damage(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as unreadable:
        return say("it cannot be read: {reason}", reason=unreadable.strerror)
    if not head:
        return say("it is empty")
    if re.match(rb"\s*<(?:!doctype html|html|head|\?xml)", head, re.IGNORECASE):
        return say("it is a page of the web, not an archive")
    if path.name.endswith("gz"):
        return say("it is not a gzip-compressed tar archive, or a damaged one: {error}", error=error)
    return say("it is not a zip archive, or a damaged one: {error}", error=error)

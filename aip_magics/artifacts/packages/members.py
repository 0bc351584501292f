"""The members of a package archive, one after the other, each judged before what comes after it is decompressed.

The bytes are anyone's. Whoever looks into an archive and whoever unpacks it both read it here: another reader might
take the same bytes for something else.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from aip_magics.artifacts.packages.bounds import Bounds, Member, MemberRefused
from aip_magics.i18n import gettext as _

DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError, RuntimeError, LookupError,
)  # fmt: skip
TARS = (".tar.gz", ".tgz")
_HEADER_BYTES = 1 << 20  # of one tar header; paths need a few hundred
_HEADERS_BYTES = 64 << 20  # of all: 512 of each member, and some more
_EXTENDED_BYTES = 4 << 20  # of those that are not plain blocks, and between two members
_DIRECTORY_BYTES = 8 << 20  # of a zip: 167 of each of the 50,000 members that there may be
_TAIL_BYTES = 1 << 20  # the zeros at the end of a tar: at most one record, in practice 10 KiB
_BLOCK = 512
_TAR_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Opened = Callable[[], IO[bytes]]


def walk(path: Path, bounds: Bounds) -> Iterator[tuple[Member, Opened]]:
    """Each member that `bounds` lets in, and how its content is opened, until the next one is asked for.

    Refused, or one of `DAMAGED`.
    """
    return _tar(path, bounds) if path.name.endswith(TARS) else _zip(path, bounds)


class _Bounded(gzip.GzipFile):
    """The decompressed bytes of a tar: no header that claims to be huge, no endless ones, are read into memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.headers = 0  # bytes of headers since the last member
        self.in_content = False
        self.last = b""  # what was read last

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _HEADER_BYTES:
            raise MemberRefused(_("archive has a header of more than 1 MiB"))
        if not self.in_content:
            self.headers += size  # as asked for: at the end of the file there is nothing more to be had
            if self.headers > _EXTENDED_BYTES:
                raise MemberRefused(_("archive has a header of more than 1 MiB"))
        self.last = super().read(size)
        return self.last


def _tar(path: Path, bounds: Bounds) -> Iterator[tuple[Member, Opened]]:
    extended = 0
    with _Bounded(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        while (info := tar.next()) is not None:
            extended += max(0, file.headers - _BLOCK)
            if extended > _HEADERS_BYTES:
                raise MemberRefused(_("archive has a header of more than 1 MiB"))
            member = _tar_member(info)
            if member.name in (".", "./") and member.is_folder:
                continue
            member = bounds.admit(member)
            file.in_content = True
            yield member, _tar_content(tar, info)
            file.in_content, file.headers = False, 0
        _check_tail(file)


def _tar_content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Opened:
    def opened() -> IO[bytes]:
        return (tar.extractfile(info) if info.isreg() else None) or io.BytesIO()

    return opened


def _tar_member(info: tarfile.TarInfo) -> Member:
    link = info.linkname if info.issym() or info.islnk() else None
    if info.islnk() and not info.linkname.startswith("/"):  # named from the top of the archive, not from its folder
        link = "/".join([".."] * (len(PurePosixPath(info.name).parts) - 1) + [info.linkname])
    special = info.type not in _TAR_TYPES or info.issparse()
    size = info.size if info.isreg() or special else 0
    return Member(info.name, size, link, info.isdir(), bool(info.mode & 0o100), special)


def _check_tail(file: _Bounded) -> None:
    """After the last member come zeros and nothing else: tarfile ends without a word at a header that is damaged."""
    file.in_content = True
    left, block = _TAIL_BYTES, file.last
    while block:
        left -= len(block)
        if left < 0 or block.strip(b"\0"):
            raise MemberRefused(_("archive has data after its end"))
        block = file.read(1 << 16)


class _BoundedFile(io.FileIO):
    """The bytes of a zip: its directory, which is read as a whole, is not a huge one."""

    def read(self, size: int | None = -1) -> bytes:
        wanted = _DIRECTORY_BYTES + 1 if size is None or size < 0 else size
        if wanted <= _DIRECTORY_BYTES:
            return super().read(wanted) or b""
        found = super().read(_DIRECTORY_BYTES + 1) or b""
        if len(found) > _DIRECTORY_BYTES:
            raise MemberRefused(_("archive has a directory of more than 8 MiB"))
        return found


def _zip(path: Path, bounds: Bounds) -> Iterator[tuple[Member, Opened]]:
    with _BoundedFile(path) as raw, zipfile.ZipFile(raw) as file:
        infos = file.infolist()
        members = [bounds.admit(_zip_member(info)) for info in infos]
        for info, member in zip(infos, members, strict=True):
            yield member, _zip_content(file, info)


def _zip_content(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Opened:
    # One that lies about its size fails its checksum: zipfile reads no more of it than it claims.
    return lambda: file.open(info)


def _zip_member(info: zipfile.ZipInfo) -> Member:
    if info.flag_bits & 1:
        raise MemberRefused(_("archive is encrypted"))
    if info.compress_type not in _ZIP_METHODS:
        raise MemberRefused(
            _("archive member {name!r} is compressed with a method other than deflate", name=info.filename)
        )
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    is_folder = info.orig_filename.endswith("/")
    special = kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (is_folder and info.file_size > 0)
    # orig_filename: zipfile cuts the name at a NUL, and turns the separators of this system.
    return Member(info.orig_filename, info.file_size, None, is_folder, bool(mode & 0o100), special)

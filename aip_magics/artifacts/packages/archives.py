"""Look into a package archive before anything of it is run: is it one, and does all of it stay inside?

Nothing is written, and never more is decompressed than `bounds` has.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from aip_magics.artifacts.packages.bounds import Bounds, Member, MemberRefused
from aip_magics.artifacts.packages.members import DAMAGED, TARS, Opened, walk
from aip_magics.i18n import gettext as _

_TEXT_BYTES = 1 << 20  # of one member that is kept
_TEXTS_BYTES = 16 << 20  # of all of them
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Archive:
    """A package archive that holds together. `texts` are the contents of the members that were asked for.

    A member that is kept has at most 1 MiB, all together 16; links are not kept, `linked` names them. `complete` is
    False where it unpacks to more than was to be looked at: then members are missing here.
    """

    path: Path
    members: frozenset[str]
    texts: Mapping[str, bytes]
    complete: bool = True
    linked: frozenset[str] = frozenset()

    @property
    def is_wheel(self) -> bool:
        return self.path.name.endswith(".whl")

    @functools.cached_property
    def root(self) -> str:
        """`NAME-VERSION/` where all members lie in that folder, else an empty string: what is built lies there."""
        tops = {name.partition("/")[0] for name in self.members if "/" in name or "." in name}
        only = tops.pop() if len(tops) == 1 else ""
        return f"{only}/" if only and any(name.startswith(f"{only}/") for name in self.members) else ""

    @property
    def pyproject(self) -> bytes | None:
        """The text of its pyproject.toml, where that was asked for and is there."""
        return self.texts.get(f"{self.root}pyproject.toml")


def read(path: Path, keep: Callable[[str], bool], *, most: int | None = None) -> Archive:
    """Look at a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    The texts of the members that `keep` wants are kept. Refused where it is damaged, no package, has a member that
    leads out of it, or is beyond the limits of `bounds`. With `most` only so many bytes are decompressed (zip
    archives then are not tested whole): the archive is not `complete` where it has more.
    """
    if not path.name.endswith((*TARS, ".zip", ".whl")):
        raise MemberRefused(_("expected a .tar.gz, .zip or .whl file"), _sdist_fix())
    try:
        archive = _read(path, _Texts(keep), most)
        if archive.complete:
            _is_package(archive)
    except DAMAGED as error:
        raise MemberRefused(_damage(path, error), _sdist_fix()) from error
    return archive


def _read(path: Path, texts: _Texts, most: int | None) -> Archive:
    bounds = Bounds(path.stat().st_size)
    is_zip = not path.name.endswith(TARS)
    for member, content in walk(path, bounds):
        if texts.want(member):
            with content() as opened:
                texts.found[member.name] = opened.read(member.size + 1)
        elif is_zip and most is None and not member.is_folder:
            _drain(member, content)
        if most is not None and bounds.size > most and not is_zip:
            return Archive(path, frozenset(bounds.names), texts.found, complete=False)
    linked = frozenset(name for name, _unused in bounds.links())
    return Archive(path, frozenset(bounds.names), texts.found, linked=linked)


def _drain(member: Member, content: Opened) -> None:
    """Read a member to its end: what it is not as large as it claims, or damaged, fails its checksum."""
    try:
        with content() as opened:
            while opened.read(_CHUNK):
                pass
    except zipfile.BadZipFile:
        raise MemberRefused(_("archive member {name!r} is corrupted", name=member.name)) from None


def is_top(name: str, file: str) -> bool:
    """Whether this is `file` itself or `NAME-VERSION/file`."""
    parts = PurePosixPath(name).parts
    return parts[-1:] == (file,) and len(parts) <= 2


def _sdist_fix() -> str:
    return _("build the package with %aip_package, or with `python setup.py sdist --formats=gztar`")


class _Texts:
    """The members that are kept, within bounds."""

    def __init__(self, keep: Callable[[str], bool]) -> None:
        self.found: dict[str, bytes] = {}
        self._keep = keep
        self._left = _TEXTS_BYTES

    def want(self, member: Member) -> bool:
        if member.is_folder or member.link is not None:
            return False
        if member.size > min(_TEXT_BYTES, self._left) or not self._keep(member.name):
            return False
        self._left -= member.size
        return True


def _is_package(archive: Archive) -> None:
    if archive.is_wheel:
        if not any(re.fullmatch(r"[^/]+\.dist-info/METADATA", name) for name in archive.members):
            text = _("not a wheel: .dist-info/METADATA is missing")
            raise MemberRefused(text, _("build the wheel with `pip wheel --no-deps .`"))
    elif not any(is_top(name, file) for name in archive.members for file in ("setup.py", "pyproject.toml")):
        raise MemberRefused(_("not a source distribution: both setup.py and pyproject.toml are missing"), _sdist_fix())


def _damage(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as unreadable:
        return _("file could not be read: {reason}", reason=unreadable.strerror)
    if not head:
        return _("file is empty")
    if re.match(rb"\s*<(?:!doctype html|html|head|\?xml)", head, re.IGNORECASE):
        return _("file is a web page, not an archive")
    if path.name.endswith("gz"):
        return _("not a gzip-compressed tar archive, or corrupted: {error}", error=error)
    return _("not a zip archive, or corrupted: {error}", error=error)

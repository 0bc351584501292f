"""What may be in a package archive: each member stays inside the archive's folder, and all of them within limits."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics.i18n import gettext as _

UNPACKED_BYTES = 2 << 30  # the service's machines for custom code have 2 GB of memory in all
MEMBERS = 50_000
RATIO = 100  # of what it unpacks to and its own size; code and data come to about 10 …
FREE_BYTES = 32 << 20  # … and below this it does not matter
_MAX_NAME_CHARS = 1024  # bytes
_MAX_DEPTH = 64
_CHAIN = 8  # links that lead to links


class MemberRefused(Exception):
    """What is wrong with the archive, and how to mend it."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix or _("rebuild the archive from a clean directory")


@dataclasses.dataclass(frozen=True)
class Member:
    """An entry of an archive. `link` is where one leads, from the folder it lies in."""

    name: str
    size: int
    link: str | None = None
    is_folder: bool = False
    executable: bool = False
    special: bool = False  # a device, a pipe


class Bounds:
    """Lets members in as long as each stays inside the archive's folder, and all together within the limits.

    An archive means one thing only: a name that is given twice, or lies below a file or a link, is refused. Names are
    in one form of Unicode, for some file systems know only one. `packed` is
    the size of the archive itself.
    """

    def __init__(self, packed: int) -> None:
        self.names: set[str] = set()
        self.size = 0
        self._most = min(UNPACKED_BYTES, max(FREE_BYTES, packed * RATIO))
        self._count = 0
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._links: dict[str, str] = {}

    def admit(self, member: Member) -> Member:
        """The member, under the one name that it is known by (`./a//b` is `a/b`). Refused where it must not be."""
        self._count += 1
        self.size += max(0, member.size)
        if self._count > MEMBERS:
            raise MemberRefused(_("archive has more than {count} members", count=MEMBERS))
        if self.size > UNPACKED_BYTES:
            raise MemberRefused(_("archive unpacks to more than {size} GiB", size=UNPACKED_BYTES >> 30))
        if self.size > self._most:
            raise MemberRefused(_("archive unpacks to more than {count} times its size", count=RATIO))
        if member.size < 0 or len(member.name.encode("utf-8", "replace")) > _MAX_NAME_CHARS:
            raise MemberRefused(_("archive member {name!r} has an invalid size or name", name=member.name[:100]))
        if escapes_root(member.name):
            raise MemberRefused(_("archive member {name!r} is outside the archive", name=member.name))
        if member.special:
            raise MemberRefused(_("archive member {name!r} is a device, a pipe or a link in a zip", name=member.name))
        path = PurePosixPath(member.name)
        if member.link is not None and _link_leads_out(path, member.link):
            text = _(
                "archive link {name!r} points outside the archive: {target!r}", name=member.name, target=member.link
            )
            raise MemberRefused(text)
        member = dataclasses.replace(member, name=unicodedata.normalize("NFC", str(path)))
        self._place(member)
        self.names.add(member.name)
        return member

    def _place(self, member: Member) -> None:
        plain = member.name
        above = [str(one) for one in PurePosixPath(plain).parents]
        if len(above) > _MAX_DEPTH:
            raise MemberRefused(_("archive member {name!r} has an invalid size or name", name=member.name[:100]))
        if self._links.keys() & set(above):
            raise MemberRefused(_("archive member {name!r} is outside the archive", name=member.name))
        taken = plain in self._files or (plain in self._folders and not member.is_folder)
        if taken or self._files & set(above):
            raise MemberRefused(_("archive has more than one member {name!r}", name=member.name))
        self._folders.update(above)
        if member.is_folder:
            self._folders.add(plain)
            return
        self._files.add(plain)
        if member.link is not None:
            self._links[plain] = member.link

    def links(self) -> Iterator[tuple[str, str]]:
        """The links, each with the file it leads to in the end. Refused where that is none of the archive's files.

        A link to a folder would let whoever walks through the files go round in circles.
        """
        for name in self._links:
            place, hops = name, 0
            while place in self._links and hops < _CHAIN:
                place, hops = _followed(place, self._links[place]), hops + 1
            if place in self._links or place not in self._files:
                target = self._links[name]
                raise MemberRefused(
                    _(
                        "archive link {name!r} does not point to a file in the archive: {target!r}",
                        name=name,
                        target=target,
                    )
                )
            yield name, place


def escapes_root(name: str) -> bool:
    """Whether a name is absolute, goes up, or is one that systems read in different ways."""
    absolute = name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None
    return absolute or not name.isprintable() or "\\" in name or ".." in PurePosixPath(name).parts


def _link_leads_out(path: PurePosixPath, target: str) -> bool:
    parts = PurePosixPath(target).parts
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    # `..` after a name may go up from wherever that name, itself a link, leads.
    return escapes_root("/".join(parts[ups:])) or ups > len(path.parts) - 1


def _followed(name: str, target: str) -> str:
    """Where a link leads that does not lead out."""
    parts = list(PurePosixPath(name).parts[:-1])
    for part in PurePosixPath(unicodedata.normalize("NFC", target)).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or "."

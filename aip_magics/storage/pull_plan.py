"""What a download has to do: the objects that are there against the files that are here."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.digests import Digests
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import Remote, find, listing
from aip_magics.storage.store import Store

Kind = Literal["fetch", "keep"]
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*| +.*)?")
_RUN_BELOW = frozenset(
    """.git git~1 .ssh .gnupg .config .local .ipython .jupyter .vscode .idea .husky .githooks""".split()  # noqa: SIM905
)
_RUN = frozenset(
    """.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .zlogout
    .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .xprofile .xinitrc .xsession .xsessionrc .envrc .gitconfig
    .gitmodules .gitattributes .pre-commit-config.yaml .vimrc .gvimrc .exrc .nvimrc .emacs .dir-locals.el .gdbinit
    .lldbinit .pdbrc .pythonrc .pythonrc.py conftest.py sitecustomize.py usercustomize.py
    jupyter_notebook_config.py jupyter_server_config.py jupyter_lab_config.py""".split()  # noqa: SIM905
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """An object, by its name below the source, and the file that it becomes. `kept`: that is the same already."""

    remote: Remote
    path: Path
    kept: bool


@dataclasses.dataclass(frozen=True)
class PullPlan:
    """The objects below `source`, and the directory whose files they become.

    `all`: they are all that lies there, else the one object that was named.
    """

    panel_kind: ClassVar[str] = "pull"
    source: GsUri
    directory: Path
    wanted: tuple[Wanted, ...]
    all: bool = True

    @property
    def rows(self) -> tuple[tuple[Kind, str, int], ...]:
        """(kind, name, size in bytes) of every object, those that are fetched first."""
        return tuple(
            sorted(("keep" if each.kept else "fetch", each.remote.name, each.remote.size) for each in self.wanted)
        )

    def to_json(self) -> dict[str, Any]:
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        return {"source": str(self.source), "directory": str(self.directory), "files": files}


def plan_pull(store: Store, source: GsUri | str, directory: Path, digests: Digests | None = None) -> PullPlan:
    """Compare by size and CRC32C, after one listing. A `source` without a slash at its end may name one object.

    StorageError where there is nothing, or a name cannot be a file's.
    """
    place, objects, single = _there(store, str(source))
    for remote in objects:
        if bad_name(remote.name):
            raise StorageError(_("an object of this name cannot become a file"), where=f"{place}{remote.name}")
        if link := linked_folder(directory, remote.name):
            text = _("{name} would be written through a link to a folder", name=remote.name)
            raise StorageError(text, where=str(link), fix=_("remove the link, or name another directory"))
    wanted = [(remote, directory / remote.name) for remote in objects]
    with digests or Digests() as known:
        known.look_up(path for _unused, path in wanted)
        return PullPlan(
            place,
            directory,
            tuple(Wanted(remote, path, _is_same(remote, path, known)) for remote, path in wanted),
            all=not single,
        )


def bad_name(name: str, *, windows: bool = os.name == "nt") -> bool:
    """Whether an object of this name cannot become a file. A name may be anything; nothing is written outside."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or set(name) & {"\0", "\\", ":"}:
        return True
    return windows and any(_DEVICE.fullmatch(part) or part[-1] in " ." or set(part) & set('<>"|?*') for part in parts)


def is_risky(name: str) -> bool:
    """Whether something runs a file of this name unasked, or the name drives the terminal that lists it.

    Shells, git, direnv, editors, Python and pytest read these when they are started beside them. Nothing that we upload
    is called so: hidden files are left out.
    """
    parts = name.casefold().split("/")
    return not name.isprintable() or parts[-1] in _RUN or parts[-1].endswith(".pth") or not _RUN_BELOW.isdisjoint(parts)


def linked_folder(directory: Path, name: str) -> Path | None:
    """The first folder of a name below `directory` that is a link: it may lead anywhere."""
    folder = directory
    for part in name.split("/")[:-1]:
        folder = folder / part
        if folder.is_symlink():
            return folder
    return None


def _there(store: Store, source: str) -> tuple[GsUri, list[Remote], bool]:
    """The directory, the objects by their names below it, and whether it is one object that was named."""
    bucket, _sep, name = source.removeprefix("gs://").partition("/")
    if name and not name.endswith("/"):
        single = find(store, bucket, name)
        if single is not None:
            above, _sep, base = name.rpartition("/")
            return GsUri(bucket, f"{above}/" if above else ""), [dataclasses.replace(single, name=base)], True
    directory = GsUri.parse(source)
    objects = [remote for name, remote in sorted(listing(store, directory).items()) if not name.endswith("/")]
    if not objects:
        fix = _("look at the name again: gcloud storage ls gs://BUCKET")
        raise StorageError(_("nothing is there"), where=source, fix=fix)
    return directory, objects, False


def _is_same(remote: Remote, path: Path, known: Digests) -> bool:
    try:
        return path.stat().st_size == remote.size and known.of(path).crc32c == remote.crc32c
    except OSError:
        return False

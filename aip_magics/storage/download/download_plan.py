"""Plan of a download: the remote objects compared with the local files."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.gs_uri import GsUri, no_objects
from aip_magics.storage.http.client import StorageClient
from aip_magics.storage.object_api import RemoteObject, get_object, list_objects

Kind = Literal["fetch", "keep"]
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*| +.*)?")
_AUTORUN_DIRECTORIES = frozenset(
    """.git git~1 .ssh .gnupg .config .local .ipython .jupyter .vscode .idea .husky .githooks""".split()  # noqa: SIM905
)
_AUTORUN_FILES = frozenset(
    """.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .zlogout
    .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .xprofile .xinitrc .xsession .xsessionrc .envrc .gitconfig
    .gitmodules .gitattributes .pre-commit-config.yaml .vimrc .gvimrc .exrc .nvimrc .emacs .dir-locals.el .gdbinit
    .lldbinit .pdbrc .pythonrc .pythonrc.py conftest.py sitecustomize.py usercustomize.py
    jupyter_notebook_config.py jupyter_server_config.py jupyter_lab_config.py""".split()  # noqa: SIM905
)


@dataclasses.dataclass(frozen=True)
class PlannedDownload:
    """An object, by its name below the source, and its local file. `kept`: the file has the same content."""

    remote: RemoteObject
    path: Path
    kept: bool


@dataclasses.dataclass(frozen=True)
class DownloadPlan:
    """The objects below `source`, and the directory for their files.

    `all` False: only the one object that the user named.
    """

    panel_kind: ClassVar[str] = "pull"
    source: GsUri
    directory: Path
    files: tuple[PlannedDownload, ...]
    all: bool = True

    @property
    def rows(self) -> tuple[tuple[Kind, str, int], ...]:
        """(kind, name, size in bytes) of every object, downloads first."""
        return tuple(
            sorted(("keep" if each.kept else "fetch", each.remote.name, each.remote.size) for each in self.files)
        )

    def to_json(self) -> dict[str, Any]:
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        return {"source": str(self.source), "directory": str(self.directory), "files": files}


def plan_download(
    client: StorageClient, source: GsUri | str, directory: Path, digests: DigestCache | None = None
) -> DownloadPlan:
    """Compare objects and files by size and CRC32C, after one listing.

    Args:
        client: The endpoint.
        source: A directory, or, without a trailing slash, maybe one object.
        directory: The local directory.
        digests: Cache of file digests.

    Raises:
        StorageError: There are no objects, or a name is invalid for a file.
    """
    source_directory, objects, single = _resolve_source(client, str(source))
    for remote in objects:
        if is_invalid_file_name(remote.name):
            raise StorageError(_("the object name is invalid for a file"), where=f"{source_directory}{remote.name}")
        if symlink := first_symlinked_parent(directory, remote.name):
            text = _("{name} would be written through a symlink to a directory", name=remote.name)
            raise StorageError(text, where=str(symlink), fix=_("remove the symlink, or use another directory"))
    pairs = [(remote, directory / remote.name) for remote in objects]
    with digests or DigestCache() as cache:
        cache.prefetch(path for _unused, path in pairs)
        return DownloadPlan(
            source_directory,
            directory,
            tuple(PlannedDownload(remote, path, _is_same(remote, path, cache)) for remote, path in pairs),
            all=not single,
        )


def is_invalid_file_name(name: str, *, windows: bool = os.name == "nt") -> bool:
    """Whether the object name is invalid for a file: object names may be anything, and no file leaves the directory."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or set(name) & {"\0", "\\", ":"}:
        return True
    return windows and any(_DEVICE.fullmatch(part) or part[-1] in " ." or set(part) & set('<>"|?*') for part in parts)


def is_risky(name: str) -> bool:
    """Whether a program runs files of this name unasked, or the name controls the terminal that lists it.

    Shells, git, direnv, editors, Python and pytest read these files when they are started in the same directory. Our
    uploads contain none of them: hidden files are ignored.
    """
    parts = name.casefold().split("/")
    return (
        not name.isprintable()
        or parts[-1] in _AUTORUN_FILES
        or parts[-1].endswith(".pth")
        or not _AUTORUN_DIRECTORIES.isdisjoint(parts)
    )


def first_symlinked_parent(directory: Path, name: str) -> Path | None:
    """The first directory in the path of a file below `directory` that is a symlink: it may point anywhere."""
    current = directory
    for part in name.split("/")[:-1]:
        current = current / part
        if current.is_symlink():
            return current
    return None


def _resolve_source(client: StorageClient, source: str) -> tuple[GsUri, list[RemoteObject], bool]:
    """The directory, the objects by their names below it, and whether the user named one object."""
    bucket, _sep, name = source.removeprefix("gs://").partition("/")
    if name and not name.endswith("/"):
        single = get_object(client, bucket, name)
        if single is not None:
            above, _sep, base = name.rpartition("/")
            return GsUri(bucket, f"{above}/" if above else ""), [dataclasses.replace(single, name=base)], True
    directory = GsUri.parse(source)
    objects = [remote for name, remote in sorted(list_objects(client, directory).items()) if not name.endswith("/")]
    if not objects:
        raise no_objects(source)
    return directory, objects, False


def _is_same(remote: RemoteObject, path: Path, cache: DigestCache) -> bool:
    try:
        return path.stat().st_size == remote.size and cache.get(path).crc32c == remote.crc32c
    except OSError:
        return False

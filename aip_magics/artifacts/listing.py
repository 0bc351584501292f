"""The files of a directory that are uploaded, and those that are left out."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _

_MAX_DEPTH = 100  # folders in folders
MAX_FILES = 20_000  # where the walk stops: twenty times what the service takes, so that `--origin /` ends soon
_MAX_ENTRIES = 100_000  # of all kinds, of one folder and of all: hidden ones are not sent, but looked at
SkipReason = Literal["hidden", "compiled", "link", "unreadable", "special", "name"]


@dataclasses.dataclass(frozen=True)
class File:
    """A file to upload. `name` is relative to the model directory, with `/`; `size` in bytes; a `link` is followed."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    link: bool = False


def file_at(path: Path) -> File:
    """The file at a path by itself, under its last name."""
    status = path.stat()
    return File(path.name, path, status.st_size, status.st_mtime_ns, path.is_symlink())


@dataclasses.dataclass(frozen=True)
class SkippedFile:
    """A file or folder that is not uploaded, and why. `name` is relative to the model directory.

    Rules ask for the `kind`, people read the `reason`.
    """

    name: str
    reason: str
    kind: SkipReason

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in the directory `path`: `files` to be uploaded, sorted by name, and those `left_out`.

    `given_file` is set where the caller named a file of it. `truncated`: there are more than `MAX_FILES` files, the
    rest was not looked at.
    """

    path: Path
    files: tuple[File, ...]
    left_out: tuple[SkippedFile, ...]
    given_file: str | None = None
    truncated: bool = False


def list_files(path: Path) -> Listing:
    """The files of a directory; a file stands for the directory it lies in, and `given_file` says so.

    ModelDirError where it is missing (naming the most similar neighbour), neither file nor directory, empty, or has
    more entries than are looked at.
    """
    given_file = None
    if path.is_file():
        path, given_file = path.parent, path.name
    elif not path.is_dir():
        raise _not_a_directory(path)
    left_out: list[SkippedFile] = []
    walk = _walk(path, "", left_out)
    files = sorted(itertools.islice(walk, MAX_FILES), key=lambda file: file.name)
    truncated = next(walk, None) is not None
    if not files:
        raise _empty(path, left_out)
    return Listing(path, tuple(files), tuple(left_out), given_file, truncated)


def _walk(folder: Path, prefix: str, left_out: list[SkippedFile]) -> Iterator[File]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(itertools.islice(found, _MAX_ENTRIES + 1), key=lambda entry: entry.name)
    except OSError as error:
        where = prefix.rstrip("/") or str(folder)
        text = _("could not read the directory: {reason}", reason=error.strerror)
        raise ModelDirError(text, where=where) from error
    if len(entries) + len(left_out) > _MAX_ENTRIES:
        text = _("the directory has more than {count:,} files and subdirectories", count=_MAX_ENTRIES)
        raise ModelDirError(
            text, where=prefix.rstrip("/") or str(folder), fix=_("use a directory that contains only the model")
        )
    for entry in entries:
        name = prefix + entry.name
        if why := _skip_reason(entry):
            left_out.append(SkippedFile(name, *why))
        elif entry.is_dir() and name.count("/") >= _MAX_DEPTH:
            text = _("the directory is nested more than {count} levels deep", count=_MAX_DEPTH)
            raise ModelDirError(text, where=f"{name[:100]}…", fix=_("use a directory that contains only the model"))
        elif entry.is_dir():
            yield from _walk(folder / entry.name, f"{name}/", left_out)
        else:
            status = entry.stat()
            yield File(name, folder / entry.name, status.st_size, status.st_mtime_ns, entry.is_symlink())


def _skip_reason(entry: os.DirEntry[str]) -> tuple[str, SkipReason] | None:
    """Why an entry is not uploaded, and the kind of reason; None where it is."""
    if entry.name.startswith("."):
        return _("hidden"), "hidden"
    if entry.name == "__pycache__":
        return _("compiled Python"), "compiled"
    try:
        mode = entry.stat().st_mode
    except OSError:
        return (_("broken link"), "link") if entry.is_symlink() else (_("cannot be read"), "unreadable")
    if stat.S_ISDIR(mode):
        return (_("link to a directory; only links to files are followed"), "link") if entry.is_symlink() else None
    if not stat.S_ISREG(mode):
        return _("not a file"), "special"
    if entry.name.isprintable():
        return None
    # Object names are UTF-8 without line breaks; other names cannot be uploaded.
    return _("name has characters that Cloud Storage does not accept"), "name"


def _not_a_directory(path: Path) -> ModelDirError:
    if path.exists():
        return ModelDirError(_("{path} is neither a directory nor a file", path=path), where=str(path))
    if os.path.lexists(path):
        return ModelDirError(_("{path} is a broken link", path=path), where=str(path))
    parent = next((folder for folder in path.parents if folder.is_dir()), None)
    if parent is None:
        return ModelDirError(_("no such file or directory: {path}", path=path), where=str(path))
    try:
        names = [name for name in os.listdir(parent) if not name.startswith(".")]
    except OSError:
        names = []
    missing = path.parts[len(parent.parts)] if len(path.parts) > len(parent.parts) else path.name
    near = difflib.get_close_matches(missing, names, n=1)
    folders = sorted(name for name in names if (parent / name).is_dir())
    fix = _("train and save the model first")
    if near:
        fix = _("did you mean {name}?", name=parent / near[0])
    elif folders:
        fix = _("choose a directory in {folder}: {names}", folder=parent.resolve(), names=_some(folders))
    return ModelDirError(_("no such file or directory: {path}", path=path), where=str(path), fix=fix)


def _empty(path: Path, left_out: list[SkippedFile]) -> ModelDirError:
    fix = _("save the model first: joblib.dump(model, '{path}')", path=path / "model.joblib")
    if left_out:
        why = _some([str(entry) for entry in left_out])
        text = _("{path} has no files to upload; skipped: {why}", path=path, why=why)
        return ModelDirError(text, where=str(path), fix=fix)
    return ModelDirError(_("{path} is empty", path=path), where=str(path), fix=fix)


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return _("{names} and {count} more", names=shown, count=len(names) - most) if len(names) > most else shown

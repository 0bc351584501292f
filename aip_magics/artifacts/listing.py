"""List the files of a directory: those to upload, and those that are skipped."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import itertools
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from aip_magics.artifacts import ignore_file
from aip_magics.artifacts.ignore_file import IgnoreFile
from aip_magics.artifacts.key_files import is_key
from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.wording import join_names

_MAX_DEPTH = 100  # folders in folders
MAX_FILES = 20_000  # where the walk stops: twenty times what the service takes, so that `--origin /` ends soon
_MAX_ENTRIES = 100_000  # of all kinds, of one folder and of all: hidden ones are not sent, but looked at
SkipReason = Literal["hidden", "compiled", "link", "unreadable", "special", "name", "ignored", "key"]


@dataclasses.dataclass(frozen=True)
class File:
    """A file to upload. `name` is relative to the model directory, with `/`; `size` in bytes; a `link` is followed."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    link: bool = False


def file_at(path: Path) -> File:
    """Return the file at a path, named by its last component."""
    status = path.stat()
    return File(path.name, path, status.st_size, status.st_mtime_ns, path.is_symlink())


@dataclasses.dataclass(frozen=True)
class SkippedFile:
    """A file or directory that is not uploaded, and why. `name` is relative to the model directory.

    `kind` is for rules, `reason` for the user.
    """

    name: str
    reason: str
    kind: SkipReason

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


@dataclasses.dataclass(frozen=True)
class Listing:
    """The contents of the directory `path`: `files` to upload, sorted by name, and skipped ones in `left_out`.

    `given_file` is the name of the file if the caller passed a file. `truncated` is whether there are more than
    `MAX_FILES` files, of which the rest was not inspected.
    """

    path: Path
    files: tuple[File, ...]
    left_out: tuple[SkippedFile, ...]
    given_file: str | None = None
    truncated: bool = False


def list_files(path: Path, *, include: Collection[str] = (), on_disk: bool = False) -> Listing:
    """List the files of a directory; a file stands for its parent directory and sets `given_file`.

    Hidden files, files that look like private keys, and what the directory's `.gcloudignore` excludes are skipped.

    Args:
        path: A directory or a file.
        include: Names, or patterns with `*`, of files to list nevertheless: relative to the directory, or the last
            component alone.
        on_disk: Whether to list what loading the directory from this disk may read: keys and excluded files, too.

    Raises:
        ModelDirError: `path` does not exist (the fix names a similar path), is neither a file nor a directory, is
            empty, or has more entries than the limit; its `.gcloudignore` cannot be read; a name in `include` matches
            no file.
    """
    given_file = None
    if path.is_file():
        path, given_file = path.parent, path.name
    elif not path.is_dir():
        raise _not_a_directory(path)
    left_out: list[SkippedFile] = []
    walk = _Walk(path, include, given_file, left_out, on_disk=on_disk)
    found = walk.list_dir(path, "")
    files = sorted(itertools.islice(found, MAX_FILES), key=lambda file: file.name)
    truncated = next(found, None) is not None
    if missing := [] if truncated else walk.unmatched:
        text = _("no file to upload matches {pattern!r}", pattern=missing[0])
        raise ModelDirError(text, where="--include", fix=_("use the name of a file in {path}", path=path))
    if not files:
        raise _empty(path, left_out)
    left_out.sort(key=lambda entry: entry.kind != "key")  # keys first: of many names, only a few are shown
    return Listing(path, tuple(files), tuple(left_out), given_file, truncated)


class _Walk:
    """Walk a directory; entries that are not listed are added to `left_out`."""

    def __init__(
        self,
        root: Path,
        include: Collection[str],
        given_file: str | None,
        left_out: list[SkippedFile],
        *,
        on_disk: bool,
    ) -> None:
        self.unmatched = list(include)
        self._include = tuple(include)
        self._given_file = given_file
        self._left_out = left_out
        self._on_disk = on_disk
        self._ignore_file = None if on_disk else IgnoreFile(root)

    def list_dir(self, folder: Path, prefix: str) -> Iterator[File]:
        for entry in self._scan(folder, prefix):
            name = prefix + entry.name
            if why := self._skip_reason(entry, name):
                self._left_out.append(SkippedFile(name, *why))
            elif entry.is_dir() and name.count("/") >= _MAX_DEPTH:
                text = _("the directory is nested more than {count} levels deep", count=_MAX_DEPTH)
                raise ModelDirError(text, where=f"{name[:100]}…", fix=_("use a directory that contains only the model"))
            elif entry.is_dir():
                yield from self.list_dir(folder / entry.name, f"{name}/")
            else:
                status = entry.stat()
                yield File(name, folder / entry.name, status.st_size, status.st_mtime_ns, entry.is_symlink())

    def _scan(self, folder: Path, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                entries = sorted(itertools.islice(found, _MAX_ENTRIES + 1), key=lambda entry: entry.name)
        except OSError as error:
            where = prefix.rstrip("/") or str(folder)
            text = _("could not read the directory: {reason}", reason=error.strerror)
            raise ModelDirError(text, where=where) from error
        if len(entries) + len(self._left_out) > _MAX_ENTRIES:
            text = _("the directory has more than {count:,} files and subdirectories", count=_MAX_ENTRIES)
            raise ModelDirError(
                text, where=prefix.rstrip("/") or str(folder), fix=_("use a directory that contains only the model")
            )
        return entries

    def _skip_reason(self, entry: os.DirEntry[str], name: str) -> tuple[str, SkipReason] | None:
        why = _skip_reason(entry)
        if why is not None and why[1] != "hidden":
            return why
        is_dir = entry.is_dir()
        if not is_dir and (self._is_included(name) or (why is None and name == self._given_file)):
            return _skip_reason(entry, hidden=True)
        if why is not None or self._ignore_file is None:
            return why
        if self._ignore_file.ignores(name, is_dir=is_dir):
            return ignore_file.NAME, "ignored"
        if not is_dir and is_key(name, Path(entry.path), entry.stat().st_size):
            return _("looks like a private key or credentials"), "key"
        return None

    def _is_included(self, name: str) -> bool:
        matching = [pattern for pattern in self._include if _matches(name, pattern)]
        self.unmatched = [pattern for pattern in self.unmatched if pattern not in matching]
        return bool(matching)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name if "/" in pattern else name.rpartition("/")[2], pattern.removeprefix("./"))


def _skip_reason(entry: os.DirEntry[str], *, hidden: bool = False) -> tuple[str, SkipReason] | None:
    """Return why an entry cannot be uploaded, and the kind of reason; None if it can. `hidden` accepts hidden ones."""
    if entry.name.startswith(".") and not hidden:
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
    # Object names are UTF-8 without line breaks; files with other names cannot be uploaded.
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
        fix = _("choose a directory in {folder}: {names}", folder=parent.resolve(), names=join_names(folders))
    return ModelDirError(_("no such file or directory: {path}", path=path), where=str(path), fix=fix)


def _empty(path: Path, left_out: list[SkippedFile]) -> ModelDirError:
    fix = _("save the model first: joblib.dump(model, '{path}')", path=path / "model.joblib")
    if left_out:
        from aip_magics.artifacts.names import MODEL_FILES  # its imports are heavy for a mere listing

        ignored = next(
            (entry.name for entry in left_out if entry.kind == "ignored" and entry.name in MODEL_FILES), None
        )
        if ignored:
            fix = _("remove the line that excludes {name} from {file}", name=ignored, file=path / ignore_file.NAME)
        why = join_names([str(entry) for entry in left_out])
        text = _("{path} has no files to upload; skipped: {why}", path=path, why=why)
        return ModelDirError(text, where=str(path), fix=fix)
    return ModelDirError(_("{path} is empty", path=path), where=str(path), fix=fix)

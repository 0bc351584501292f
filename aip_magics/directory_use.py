"""Which entries of a directory the live processes of this machine use.

::

    ROOT/.use/lock            held for a moment by each process that marks, adds or deletes entries
    ROOT/.use/PROCESS/lock    held by a process as long as it lives: the system frees it after a kill, too
    ROOT/.use/PROCESS/NAME    an empty file: the process uses the entry NAME
    ROOT/.use/NAME.build      held by the process that builds the entry NAME

A lock, unlike a process id, is never that of another process later, and is right in containers that share a directory.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A process uses the entries that it asked for last: as many as it keeps warm workers for (`prediction.WorkerPool`).
ENTRIES_IN_USE = 4
_BUILD_LOCK = ".build"
_LOCK = "lock"


@dataclasses.dataclass
class _Registration:
    """This process as a user of a root; the lock is freed when the process ends."""

    process: str
    lock: Any
    names: list[str] = dataclasses.field(default_factory=list)  # the one asked for last at the end


_registrations: dict[tuple[Path, int], _Registration] = {}  # by root and process id: a fork registers itself
_kept: list[set[tuple[Path, str]]] = []  # by running block of `keep_entries`: root and name
_kept_lock = threading.Lock()


@contextlib.contextmanager
def keep_entries() -> Iterator[None]:
    """Keep the entries that this process asks for in the block until its end: an upload may read them for an hour.

    They stay however many there are, and whatever other threads of this process build meanwhile.
    """
    entries: set[tuple[Path, str]] = set()
    with _kept_lock:
        _kept.append(entries)
    try:
        yield
    finally:
        with _kept_lock:
            _kept[:] = [others for others in _kept if others is not entries]


class DirectoryUse:
    """The marks of use of the entries of `root`. All methods but `locked` and `building` need the lock held."""

    def __init__(self, root: Path) -> None:
        self._key = root.absolute()
        self._directory = root / ".use"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude the other threads and processes that mark, add or delete entries."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with _file_lock(self._directory / _LOCK, -1):
            yield

    def building(self, name: str, timeout: float) -> contextlib.AbstractContextManager[Any]:
        """Exclude others that build this entry. TimeoutError if one of them takes longer than `timeout` seconds."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return _file_lock(self._directory / f"{name}{_BUILD_LOCK}", timeout)  # type: ignore[no-any-return]

    def process(self) -> str:
        """The name of this process, whose lock it holds from now on."""
        return self._register().process

    def mark(self, name: str) -> None:
        """Note that this process uses the entry, instead of those it asked for longest ago and need not keep."""
        with _kept_lock:
            for entries in _kept:
                entries.add((self._key, name))
        mine = self._register()
        mine.names = [other for other in mine.names if other != name] + [name]
        kept = self._kept_names()
        for old in [other for other in mine.names[:-ENTRIES_IN_USE] if other not in kept]:
            (self._directory / mine.process / old).unlink(missing_ok=True)
            mine.names.remove(old)
        (self._directory / mine.process / name).touch()

    def names_in_use(self) -> set[str]:
        """The entries that no process may delete: those of other live processes, and those that this one must keep."""
        return self._names_of_others() | self._kept_names()

    def _kept_names(self) -> set[str]:
        with _kept_lock:
            return {name for entries in _kept for root, name in entries if root == self._key}

    def _names_of_others(self) -> set[str]:
        """The entries that other live processes use. What dead processes left is removed."""
        names: set[str] = set()
        for path in list(self._directory.iterdir()):
            if path.name.endswith(_BUILD_LOCK) and is_free(path):
                path.unlink(missing_ok=True)
            elif path.is_dir() and not self._is_mine(path.name):
                if self.is_alive(path.name):
                    with contextlib.suppress(FileNotFoundError):  # it is just ending
                        names.update(os.listdir(path))
                else:
                    shutil.rmtree(path, ignore_errors=True)
        return names - {_LOCK}

    def is_alive(self, process: str) -> bool:
        """Whether a process of this name is alive."""
        return self._is_mine(process) or not is_free(self._directory / process / _LOCK)

    def _is_mine(self, process: str) -> bool:
        mine = _registrations.get((self._key, os.getpid()))
        return mine is not None and mine.process == process

    def _register(self) -> _Registration:
        key = (self._key, os.getpid())
        mine = _registrations.get(key)
        if mine is None or not (self._directory / mine.process / _LOCK).exists():  # the directory may be another one
            self._names_of_others()  # else the marks of short-lived processes would add up
            process = secrets.token_hex(8)
            (self._directory / process).mkdir()
            lock = _file_lock(self._directory / process / _LOCK, 0)
            lock.acquire()
            mine = _registrations[key] = _Registration(process, lock)
            atexit.register(_remove, self._directory.absolute() / process, os.getpid())
        return mine


def _remove(directory: Path, pid: int) -> None:
    if os.getpid() == pid:  # not a fork
        shutil.rmtree(directory, ignore_errors=True)


def is_free(path: Path) -> bool:
    """Whether no process holds the lock of this path."""
    if not path.exists():
        return True
    try:
        with _file_lock(path, 0):
            return True
    except FileNotFoundError:  # deleted since
        return True
    except (TimeoutError, PermissionError):  # Windows refuses a file that is being deleted
        return False


def _file_lock(path: Path, timeout: float) -> Any:
    import filelock  # 50 ms, and only who builds or uses an entry needs it

    return filelock.FileLock(path, timeout=timeout, thread_local=False)

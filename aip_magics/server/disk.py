"""What the data directory holds, how much of it nothing uses, and its deletion.

Runs in a process of its own, beside a server or without one: `python -m aip_magics.server --data-dir DIR --disk`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import filelock

from aip_magics.data_directory import DOWNLOADS, INPUTS, STAGING, TRIALS
from aip_magics.directory_cache import DirectoryCache
from aip_magics.disk_usage import Space, SpaceCounter, disk_bytes
from aip_magics.errors import PredictionError
from aip_magics.server.names import VersionKey
from aip_magics.server.serving.request_logs import get_folder_name
from aip_magics.server.state.installations import Installation, Installations, is_environment_of
from aip_magics.targets.state import LOCK_FILE

Kind = Literal[
    "models",
    "objects",
    "uploads",
    "environments",
    "packages",
    "downloads",
    "staging",
    "trials",
    "logs",
    "databases",
    "other",
]
# In the order of counting: a model is hard links to objects, which count as objects as long as these exist.
_PATHS: dict[Kind, tuple[str, ...]] = {
    "objects": ("objects/blobs",),
    "models": ("artifacts",),
    "uploads": ("objects/incoming",),
    "environments": ("environments",),
    "packages": ("packages",),
    "downloads": (DOWNLOADS, INPUTS),
    "staging": (STAGING,),
    "trials": (TRIALS,),
    "logs": ("logs", "server.log*", "start.log"),
    "databases": ("service.sqlite*", "objects/index.sqlite*", "digests.sqlite*"),
}
_IN_DIRECTORIES = frozenset({"models", "environments", "packages", "downloads", "staging"})  # an entry is a directory
# Some of these files are in each data directory; without them the directory is another one, and all of it is used.
_MARKS = (LOCK_FILE, "digests.sqlite", "*/.use/lock")
UPLOAD_AGE = 7 * 86_400.0  # seconds; as long as a resumable upload of Cloud Storage can be resumed


@dataclasses.dataclass(frozen=True)
class Unused:
    """Something that nothing uses; `paths` are its files, where no cache deletes them."""

    kind: Kind
    name: str
    bytes: int
    paths: tuple[Path, ...] = ()


def report(data_dir: Path, *, prune: bool = False) -> dict[str, Any]:
    """Measure the data directory; with `prune`, delete first what nothing uses.

    Returns:
        JSON data: `running` (whether a server runs), `kinds` (name → entries, bytes, shared bytes, unused bytes), and
        `unused` or, with `prune`, `deleted`: kind, name and bytes of each.
    """
    if not any(True for mark in _MARKS for _path in data_dir.glob(mark)):
        return {"running": False, "kinds": _measure(data_dir, []), "deleted" if prune else "unused": []}
    unused = list[Unused]()
    with _stopped_server(data_dir) as stopped:
        if stopped and (data_dir / "service.sqlite").exists():
            unused += [*_find_unused_models(data_dir), *_find_unused_logs(data_dir)]
        if (data_dir / "objects/index.sqlite").exists():
            unused += _find_unused_blobs(data_dir) if stopped else []
            unused += _find_unused_uploads(data_dir, stopped=stopped)
        if prune:
            _delete(data_dir, unused)
    for kind, cache, is_kept in _caches(data_dir):
        try:
            entries = cache.remove_unused(is_kept) if prune else cache.find_unused(is_kept)
        except PredictionError:  # what the versions use is not known
            continue
        unused += [Unused(kind, entry.name, entry.bytes) for entry in entries]
    listed = [{"kind": each.kind, "name": each.name, "bytes": each.bytes} for each in unused]
    return {
        "running": not stopped and (data_dir / LOCK_FILE).exists(),
        "kinds": _measure(data_dir, [] if prune else unused),
        "deleted" if prune else "unused": listed,
    }


def _measure(data_dir: Path, unused: Collection[Unused]) -> dict[str, dict[str, int]]:
    counter, counted = SpaceCounter(), set[Path]()
    measured = dict[str, tuple[int, Space]]()
    for kind, patterns in _PATHS.items():
        paths = [path for pattern in patterns for path in sorted(data_dir.glob(pattern))]
        space = sum((counter.count(path) for path in paths), Space())
        entries = sum(_count_directories(path) for path in paths) if kind in _IN_DIRECTORIES else space.files
        measured[kind] = (entries, space)
        counted.update(paths)
    other = sum((counter.count(path) for path in _others(data_dir, counted)), Space())
    measured["other"] = (other.files, other)
    return {
        kind: {
            "entries": measured[kind][0],
            "bytes": measured[kind][1].bytes,
            "sharedBytes": measured[kind][1].shared_bytes,
            "unusedBytes": sum(each.bytes for each in unused if each.kind == kind),
        }
        for kind in get_args(Kind)
    }


def _others(data_dir: Path, counted: Collection[Path]) -> Iterator[Path]:
    """Yield the files that are of no kind."""
    for path in data_dir.iterdir() if data_dir.is_dir() else ():
        if path.name == "objects":
            yield from (below for below in path.iterdir() if below not in counted)
        elif path not in counted:
            yield path


def _count_directories(path: Path) -> int:
    return sum(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir())


@contextlib.contextmanager
def _stopped_server(data_dir: Path) -> Iterator[bool]:
    """Keep a server from starting; False if one runs, or none ever ran."""
    lock = filelock.FileLock(data_dir / LOCK_FILE, timeout=0)
    if not (data_dir / LOCK_FILE).exists():
        yield False
        return
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _find_unused_models(data_dir: Path) -> Iterator[Unused]:
    """Find snapshots without a version, which a killed server left."""
    versions = _version_rows(data_dir)
    used = {row[name] for row in versions for name in ("artifact", "packages") if name in row.keys()}  # noqa: SIM118
    for path in _children(data_dir / "artifacts"):
        if path.name not in used:
            yield Unused("models", path.name, _freed(path), (path,))


def _find_unused_blobs(data_dir: Path) -> Iterator[Unused]:
    """Find files of objects that do not exist, which a killed server left."""
    blobs = {row["blob"] for row in _rows(data_dir / "objects/index.sqlite", "select blob from objects")}
    blobs.update(*_uploads(data_dir).values())  # published, but killed before the row: the next server moves it back
    for path in (blob for directory in _children(data_dir / "objects/blobs") for blob in _children(directory)):
        if path.name not in blobs:
            yield Unused("objects", path.name, _freed(path), (path,))


def _find_unused_logs(data_dir: Path) -> Iterator[Unused]:
    rows = _rows(data_dir / "service.sqlite", "select location, project, model, version from versions")
    used = {get_folder_name(VersionKey(*row)) for row in rows}
    for path in _children(data_dir / "logs"):
        if path.name not in used:
            yield Unused("logs", path.name, disk_bytes(path), (path,))


def _find_unused_uploads(data_dir: Path, *, stopped: bool) -> Iterator[Unused]:
    """Find unfinished uploads that received nothing for a week; without a server also newer files without an upload."""
    files = {path.name: path for path in _children(data_dir / "objects/incoming")}
    uploads = _uploads(data_dir)
    without_upload = set(files).difference(*uploads.values())
    uploads.update({name: {name} for name in without_upload})
    oldest = time.time() - UPLOAD_AGE
    for upload, names in uploads.items():
        paths = tuple(files[name] for name in sorted(names) if name in files)
        is_orphan = stopped and upload in without_upload
        if paths and (is_orphan or max(map(_last_change, paths)) < oldest):
            yield Unused("uploads", upload, sum(map(_freed, paths)), paths)


def _uploads(data_dir: Path) -> dict[str, set[str]]:
    """Read the unfinished uploads: id → names of their files."""
    index, uploads = data_dir / "objects/index.sqlite", dict[str, set[str]]()
    for row in _rows(index, "select id from sessions where result is null"):
        uploads[row["id"]] = {row["id"]}
    for row in _rows(index, "select multipart, file from parts"):
        uploads.setdefault(row["multipart"], set()).add(row["file"])
    return uploads


def _caches(data_dir: Path) -> Iterator[tuple[Kind, DirectoryCache, Any]]:
    """Yield the caches, each with the function that tells which of its entries versions use."""
    installations = Installations(data_dir, data_dir / "artifacts")

    # Read when the first entry is judged, while no process can install anything: later versions find it deleted.
    @functools.cache
    def used() -> set[Installation]:
        rows = _version_rows(data_dir)
        return {(row["packages"] if "packages" in row.keys() else None, row["python"]) for row in rows}  # noqa: SIM118

    yield "environments", installations.environments, lambda name: is_environment_of(name, used())
    used.cache_clear()
    yield "packages", installations.packages, lambda name: name in installations.find_packages(used())
    for kind, name in (("downloads", DOWNLOADS), ("downloads", INPUTS), ("staging", STAGING)):
        yield kind, DirectoryCache(data_dir / name), lambda _name: False  # type: ignore[misc]


def _delete(data_dir: Path, unused: Collection[Unused]) -> None:
    uploads = [(each.name,) for each in unused if each.kind == "uploads"]
    if uploads:
        with contextlib.closing(sqlite3.connect(data_dir / "objects/index.sqlite")) as db, db:
            db.execute("pragma foreign_keys = on")
            for table in ("sessions", "multiparts"):
                db.executemany(f"delete from {table} where id = ?", uploads)
    for path in (path for each in unused for path in each.paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _version_rows(data_dir: Path) -> list[sqlite3.Row]:
    """Read the versions of models, deployed or, on Vertex AI, only uploaded. An older server has no table of these."""
    database = data_dir / "service.sqlite"
    tables = {row["name"] for row in _rows(database, "select name from sqlite_master where type = 'table'")}
    known = [table for table in ("versions", "vertex_model_versions") if table in tables]
    return [row for table in known for row in _rows(database, f"select * from {table}")]


def _rows(database: Path, query: str) -> list[sqlite3.Row]:
    """Read rows of a database, which a server may be writing to; none if there is no database."""
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(query).fetchall()


def _freed(path: Path) -> int:
    """The bytes that a deletion frees: not those of files that have another hard link."""
    if path.is_dir() and not path.is_symlink():
        return sum(_freed(child) for child in path.iterdir())
    return disk_bytes(path) if path.lstat().st_nlink == 1 else 0


def _last_change(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return time.time()


def _children(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []

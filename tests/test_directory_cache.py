"""The cache of directories, shared by processes: its bounds, and what none of them takes from another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from aip_magics.directory_cache import DirectoryCache, key_digest
from aip_magics.directory_use import ENTRIES_IN_USE, keep_entries
from aip_magics.disk_usage import disk_bytes

MIB = 1 << 20
# Another process: it uses or begins to build the entries that it is told to, and lives until it is killed.
OTHER = """
import sys, time
from pathlib import Path
from aip_magics.directory_cache import DirectoryCache
cache = DirectoryCache(Path(sys.argv[1]), max_bytes=float("inf"), max_age=float("inf"))
def build(folder):
    (folder / "data").write_bytes(bytes(1 << 20))
def half(folder):
    build(folder)
    print("building", flush=True)
    time.sleep(600)
for name in sys.argv[3:]:
    cache.get_or_build(name, {"use": build, "half": half}[sys.argv[2]], lock_timeout=5)
print("used", flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start another process that shares the cache; it has done what it was told when this returns."""
    started: list[subprocess.Popen[str]] = []

    def start(what: str, *names: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OTHER, str(tmp_path), what, *names]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() in ("used\n", "building\n")
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def fill(folder: Path) -> None:
    (folder / "data").write_bytes(bytes(MIB))


def entries(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.name != ".use"}


def age(root: Path, *names: str, days: float = 31) -> None:
    for name in names:
        then = time.time() - days * 86_400
        os.utime(root / name, (then, then))


NAMES = [key_digest(number) for number in range(8)]


def test_directory_cache_keeps_the_last_entries_within_bytes(tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path, max_bytes=3.5 * MIB)
    for number, name in enumerate(NAMES[:3]):
        cache.get_or_build(name, fill)
        age(tmp_path, name, days=3 - number)
    cache.get_or_build(NAMES[0], fill)  # used again: now another one is the oldest
    cache.get_or_build(NAMES[3], fill)
    assert entries(tmp_path) == {NAMES[0], NAMES[2], NAMES[3]}
    assert 3 * MIB <= disk_bytes(tmp_path) < 3.5 * MIB


def test_directory_cache_keeps_a_new_entry_that_is_larger_than_all_may_be(tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path, max_bytes=MIB // 2)
    for name in NAMES[:3]:
        assert (cache.get_or_build(name, fill) / "data").is_file()
        assert entries(tmp_path) == {name}


def test_directory_cache_deletes_what_is_old(tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path)
    for name in NAMES[:3]:
        cache.get_or_build(name, fill)
    age(tmp_path, NAMES[0])
    age(tmp_path, NAMES[1], days=29)
    cache.get_or_build(NAMES[3], fill)
    assert entries(tmp_path) == set(NAMES[1:4])


def test_directory_cache_never_deletes_what_it_did_not_build(tmp_path: Path) -> None:
    """A data directory that was mistyped may be any directory."""
    own = ("Holidays", "f" * 63, "notes.txt", f"{'a' * 64}.zip", "building-permit.pdf", "deleting-old notes")
    for name in (*own, "building-drawings", "building-drawing"):
        (tmp_path / name).mkdir()
        age(tmp_path, name)
    before = entries(tmp_path)
    cache = DirectoryCache(tmp_path, max_bytes=1)
    cache.get_or_build(NAMES[0], fill)
    assert [entry.name for entry in cache.remove_unused()] == [NAMES[0]]
    assert entries(tmp_path) == before


def test_directory_cache_keeps_what_another_process_uses(
    tmp_path: Path, other: Callable[..., subprocess.Popen[str]]
) -> None:
    cache = DirectoryCache(tmp_path, max_bytes=1)
    process = other("use", NAMES[0], NAMES[1])
    age(tmp_path, *NAMES[:2])
    cache.get_or_build(NAMES[2], fill)
    assert cache.remove_unused(lambda name: name == NAMES[2]) == []
    assert entries(tmp_path) == set(NAMES[:3])
    process.kill()
    process.wait()
    cache.get_or_build(NAMES[3], fill)
    assert entries(tmp_path) == {NAMES[3]}
    assert len(list((tmp_path / ".use").glob("*/"))) == 1  # only this process is left


def test_directory_cache_keeps_what_a_running_command_asked_for(tmp_path: Path) -> None:
    """While a command uploads an entry, other threads and processes build and delete others."""
    cache = DirectoryCache(tmp_path, max_bytes=1)
    with keep_entries():
        for name in NAMES[:6]:
            cache.get_or_build(name, fill)
        code = "import sys; from pathlib import Path; from aip_magics.directory_cache import DirectoryCache\n"
        code += "print(DirectoryCache(Path(sys.argv[1])).remove_unused())"
        pruned = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
        assert pruned.stdout == "[]\n"
        with keep_entries():  # another command, in another thread
            building = threading.Thread(target=cache.get_or_build, args=(NAMES[6], fill))
            building.start()
            building.join()
        assert entries(tmp_path) == set(NAMES[:7])
    assert cache.claim(NAMES[0])
    cache.get_or_build(NAMES[7], fill)
    assert entries(tmp_path) == {NAMES[7]}
    assert not cache.claim(NAMES[0])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_directory_cache_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "letter").touch()
    root = tmp_path / "cache"
    DirectoryCache(root).get_or_build(NAMES[1], lambda folder: (folder / "link").symlink_to(tmp_path / "outside"))
    (root / NAMES[0]).symlink_to(tmp_path / "outside")
    assert len(DirectoryCache(root).remove_unused()) == 2
    assert entries(root) == set()
    assert (tmp_path / "outside" / "letter").exists()


def test_directory_cache_finds_an_entry_where_it_cannot_write(tmp_path: Path) -> None:
    """The disk is read-only, or too full for the first directory of marks."""
    (tmp_path / NAMES[0]).mkdir()
    (tmp_path / ".use").touch()
    cache = DirectoryCache(tmp_path)
    assert cache.get_or_build(NAMES[0], fill) == tmp_path / NAMES[0]
    with pytest.raises(OSError):
        cache.get_or_build(NAMES[1], fill)


def test_directory_cache_counts_the_last_entries_of_a_process_as_used(
    tmp_path: Path, other: Callable[..., subprocess.Popen[str]]
) -> None:
    other("use", *NAMES[:6], NAMES[0])
    assert {entry.name for entry in DirectoryCache(tmp_path).find_unused()} == {NAMES[1], NAMES[2]}
    assert len(NAMES[:6]) - 2 == ENTRIES_IN_USE
    DirectoryCache(tmp_path).remove_unused()
    assert entries(tmp_path) == {NAMES[0], *NAMES[3:6]}


def test_directory_cache_removes_what_a_killed_build_left(
    tmp_path: Path, other: Callable[..., subprocess.Popen[str]]
) -> None:
    process = other("half", NAMES[0])
    cache = DirectoryCache(tmp_path)
    [building] = entries(tmp_path)
    cache.get_or_build(NAMES[1], fill)
    assert entries(tmp_path) == {building, NAMES[1]}  # it is still being built
    with pytest.raises(TimeoutError):
        cache.get_or_build(NAMES[0], fill, lock_timeout=0.01)
    process.kill()
    process.wait()
    assert (cache.get_or_build(NAMES[0], fill, lock_timeout=5) / "data").stat().st_size == MIB
    assert entries(tmp_path) == set(NAMES[:2])
    cache.remove_unused(lambda _name: True)
    assert not list((tmp_path / ".use").glob("*.build"))


def test_directory_cache_removes_what_killed_builds_of_earlier_versions_left(tmp_path: Path) -> None:
    for name in (NAMES[0], NAMES[1]):
        (tmp_path / f".{name}.partial").mkdir()
        fill(tmp_path / f".{name}.partial")
        (tmp_path / f".{name}.lock").touch()
    (tmp_path / f".{NAMES[2]}.lock").touch()
    for name in ("building-k3x_9ab2", "building-abcdefgh"):
        (tmp_path / name).mkdir(mode=0o700)
    age(tmp_path, "building-k3x_9ab2", days=1.1)  # the other one may still be built by that version
    cache = DirectoryCache(tmp_path)
    with filelock.FileLock(tmp_path / f".{NAMES[1]}.lock"):  # this one is being built
        cache.get_or_build(NAMES[3], fill)
        left = {NAMES[3], "building-abcdefgh"}
        assert entries(tmp_path) == left | {f".{NAMES[1]}.partial", f".{NAMES[1]}.lock"}
    cache.remove_unused(lambda _name: True)
    assert entries(tmp_path) == left


@pytest.mark.slow
def test_directory_cache_is_used_and_pruned_at_once(tmp_path: Path) -> None:
    """Builds and deletions at once fail nowhere and leave nothing."""
    failures: list[Exception] = []
    stop = threading.Event()

    def prune() -> None:
        while not stop.is_set():
            DirectoryCache(tmp_path).remove_unused()

    def use(name: str) -> None:
        try:
            for _ in range(20):
                DirectoryCache(tmp_path).get_or_build(name, lambda folder: (folder / "data").touch(), lock_timeout=30)
        except (OSError, TimeoutError) as error:
            failures.append(error)

    pruning = threading.Thread(target=prune)
    using = [threading.Thread(target=use, args=(NAMES[number % 2],)) for number in range(4)]
    for thread in (pruning, *using):
        thread.start()
    for thread in using:
        thread.join()
    stop.set()
    pruning.join()
    assert failures == []
    DirectoryCache(tmp_path).remove_unused()
    assert entries(tmp_path) == set()

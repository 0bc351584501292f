"""What memory processes hold, and what this machine or a cgroup allows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aip_magics.server.serving import memory

PAGES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def holding(megabytes: int) -> subprocess.Popen[bytes]:
    code = f"data = bytearray(b'x') * ({megabytes} << 20); print(flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pytest.mark.parametrize("way", ["proportional", "resident", "ps"])
def test_memory_of_processes_is_measured(monkeypatch, way):
    if way == "resident":
        monkeypatch.setattr(memory, "memory_of", lambda pid: 0)
    measure = memory._told_by_ps if way == "ps" else memory.measure
    with holding(64) as child:
        found = measure([child.pid, os.getpid()])
        child.communicate(b"\n")
    assert 64 << 20 < found[child.pid] < 90 << 20
    assert found[os.getpid()] > 10 << 20
    assert measure([child.pid]) == {}
    assert measure([]) == {}


def test_memory_can_be_measured_here():
    assert memory.can_measure()


CGROUPS = {
    "none": ("", {}, PAGES),
    "version 2": ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "5000", "memory.max": "9000"}, 5000),
    "version 2 of a container": ("0::/host/path\n", {"memory.max": "7000"}, 7000),
    "version 1": (
        "9:cpu:/x\n4:blkio,memory:/a\n0::/\n",
        {"memory/a/memory.limit_in_bytes": "3000", "memory/memory.limit_in_bytes": "9223372036854771712"},
        3000,
    ),
    "odd lines": ("\nmemory\n1:memory\n0::/a\n", {"a/memory.max": "4000"}, 4000),
    "without a limit": ("0::/\n", {"memory.max": "max"}, PAGES),
    "more than there is": ("0::/\n", {"memory.max": str(PAGES * 2)}, PAGES),
}


@pytest.mark.parametrize("case", CGROUPS)
def test_memory_available_is_the_least_of_machine_and_cgroups(tmp_path, case):
    lines, limits, expected = CGROUPS[case]
    (tmp_path / "proc" / "self").mkdir(parents=True)
    if lines:
        (tmp_path / "proc" / "self" / "cgroup").write_text(lines)
    for name, text in limits.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert memory.available(tmp_path / "proc", tmp_path / "cgroup") == expected


MODELS = {
    "a pickle beside other files": ({"model.joblib": 500, "notes.txt": 900}, False, 500),
    "a graph with variables": (
        {"saved_model.pb": 100, "variables/variables.data-00000-of-00001": 800, "assets/words": 5000},
        False,
        900,
    ),
    "custom code": ({"model.joblib": 500, "data/words": 100}, True, 600),
}


@pytest.mark.parametrize("case", MODELS)
def test_memory_of_a_model_is_at_least_that_of_the_files_that_are_loaded(tmp_path, case):
    files, custom, expected = MODELS[case]
    for name, size in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert memory.model_bytes(tmp_path, custom=custom) == expected

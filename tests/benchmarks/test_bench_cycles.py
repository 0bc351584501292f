"""What many deployments that are deleted again leave behind: disk, memory, descriptors, rows.

`pytest -m benchmark tests/benchmarks/test_bench_cycles.py`: 500 cycles take about ten minutes; AIP_BENCH_CYCLES sets
another number. Each cycle deploys `$model` with a package from a notebook's kernel, and deletes the version. Numbers
are printed; none makes a test fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import ServerProcess
from growth_curve import Curve, database_bytes, descriptors, disk_bytes, megabytes, memory, number
from request_loops import duration

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory and descriptors are read in /proc"),
]

KERNEL = Path(__file__).with_name("deploy_cycles.py")
CYCLES = int(os.environ.get("AIP_BENCH_CYCLES", "500"))
# Of the data directory, beside those of the server itself.
PARTS = ("objects", "artifacts", "packages", "staging", "logs")


def test_bench_cycles_of_create_and_delete(
    home: Path, aip_magics: list[str], tmp_path: Path, tell: Callable[..., None]
) -> None:
    units = dict.fromkeys(("disk", *PARTS, "service_database", "object_index", "server", "kernel"), megabytes)
    curve = Curve("cycles", **units, descriptors=number, cycle=duration)
    removal = ["--artifacts"] if _has(aip_magics, "delete", "--artifacts") else []
    server = ServerProcess(home).start()
    kernel = subprocess.Popen(
        [sys.executable, str(KERNEL), str(tmp_path), *removal],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(KERNEL.parents[2])},
    )

    def look(cycles: int, seconds: float) -> None:
        curve.add(
            cycles,
            disk=disk_bytes(home),
            **{part: disk_bytes(home / part) for part in PARTS},
            service_database=database_bytes(home / "service.sqlite"),
            object_index=database_bytes(home / "objects" / "index.sqlite"),
            server=memory(server.processes()),
            kernel=memory([kernel.pid]),
            descriptors=descriptors(server.state.pid),
            cycle=seconds,
        )

    resources = (megabytes(disk_bytes(home)), megabytes(memory(server.processes())), descriptors(server.state.pid))
    tell("before: {} of disk, a server of {} with {} descriptors".format(*resources))
    done = 0
    try:
        assert kernel.stdin is not None
        assert kernel.stdout is not None
        for cycles in sorted({1, CYCLES // 5, CYCLES // 2, CYCLES} - {0}):  # the first one starts processes that stay
            begun = time.perf_counter()
            kernel.stdin.write(f"{cycles}\n")
            kernel.stdin.flush()
            assert kernel.stdout.readline() == f"done {cycles}\n"
            look(cycles, (time.perf_counter() - begun) / (cycles - done))
            done = cycles
        tell(f"deleted with {' '.join(removal) or 'no option'}", *curve.lines())
        if _has(aip_magics, "server", "--prune"):
            prune = [*aip_magics, "server", "disk", "--prune", "--yes"]
            pruned = subprocess.run(prune, capture_output=True, text=True, check=False)
            assert pruned.returncode == 0, pruned.stderr
            tell(f"after `server disk --prune`: {megabytes(disk_bytes(home))} of disk")
    finally:
        kernel.communicate(timeout=60)
        server.stop()


def _has(aip_magics: list[str], verb: str, option: str) -> bool:
    done = subprocess.run([*aip_magics, verb, "--help"], capture_output=True, text=True, check=True)
    return option in done.stdout

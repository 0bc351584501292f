"""What this machine, or the cgroup of a container in it, has: processors and memory."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def processors(cgroups: Path = _CGROUPS) -> int:
    """How many processors this process may use: those of its affinity, or fewer by the quota of its cgroup."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):  # of cgroups version 2 and 1
        with contextlib.suppress(OSError, ValueError):  # another version or system, or `max`: no quota
            quota, period = map(int, " ".join(cgroups.joinpath(name).read_text("ascii") for name in names).split())
            if quota > 0 and period > 0:  # -1: no quota
                return max(1, min(count, -(-quota // period)))
    return count


def available(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """The bytes of memory that this process and its children may use: the machine's, or less where a cgroup says so.

    None if the system does not tell.
    """
    found = list(_cgroup_limits(proc, cgroups))
    if sys.platform != "win32":
        with contextlib.suppress(ValueError, OSError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((size for size in found if size > 0), default=None)


def _cgroup_limits(proc: Path, cgroups: Path) -> Iterator[int]:
    """The limits of the cgroups (version 1 or 2) that this process is in, up to their root."""
    try:
        lines = proc.joinpath("self", "cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers == "":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = root / path.strip("/")  # in a container the path may be that of the host, and not be found here
        for directory in (place, *place.parents):
            with contextlib.suppress(OSError, ValueError):
                yield int(directory.joinpath(name).read_text("ascii"))  # `max` is no number: no limit
            if directory == root:
                break

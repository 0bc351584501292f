"""The memory of a worker process."""

from __future__ import annotations


def memory_of(pid: int) -> int:
    """The bytes of memory a process adds: pages that it shares (its fork server's framework) count in parts.

    0 where the system does not tell.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, ValueError):
        return 0

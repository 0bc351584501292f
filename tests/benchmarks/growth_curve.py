"""Curves: what a server needs at growing numbers of something, as a table of points and ratios between them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from request_loops import times

MB = 1 << 20
VARIABLE = "AIP_BENCH_GROWTH"  # other points, as in "versions=1,100,500 size=4096"


def points_of(subject: str, *default: int) -> tuple[int, ...]:
    """The points of a curve, in ascending order: those of the environment variable, or the default."""
    for word in os.environ.get(VARIABLE, "").split():
        name, _, values = word.partition("=")
        if name == subject:
            return tuple(sorted(int(value) for value in values.split(",")))
    return default


def megabytes(value: float) -> str:
    return f"{value / MB:,.1f} MiB"


def number(value: float) -> str:
    return f"{value:,.0f}"


class Curve:
    """The values at each point; `units` says how those of a column are written."""

    def __init__(self, subject: str, **units: Callable[[float], str]) -> None:
        self._subject = subject
        self._units = units
        self._points: list[int] = []
        self._values: dict[str, list[float]] = {name: [] for name in units}

    def add(self, point: int, **values: float) -> None:
        """Add the values of all columns at a point."""
        self._points.append(point)
        for name in self._units:
            self._values[name].append(values[name])

    def lines(self) -> Iterator[str]:
        """The table, then for each column how much it grew from the first point to the last."""
        table = [[self._subject, *(name.replace("_", " ") for name in self._units)]]
        for row, point in enumerate(self._points):
            table.append([number(point), *(unit(self._values[name][row]) for name, unit in self._units.items())])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for line in table:
            yield "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for name, values in self._values.items():
            if not any(values):
                continue
            steps = [_ratio(*pair) for pair in itertools.pairwise(values)]
            grown = f"{name.replace('_', ' ')} grew {_ratio(values[0], values[-1])}"
            between = f" ({', '.join(steps)} from point to point)" if len(steps) > 1 else ""
            yield f"  {grown} while {self._subject} grew {_ratio(self._points[0], self._points[-1])}{between}"


def _ratio(before: float, after: float) -> str:
    return times(after / before) if before else "from nothing"


class Connection:
    """One connection to a server, which costs less than `requests`."""

    def __init__(self, server: Any) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", server.state.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {server.state.token}"}

    def ok(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """The JSON of an answer with status 200."""
        self._http.request(method, path, body, {**self._headers, "Content-Type": kind})
        answer = self._http.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:1000]
        return json.loads(content)

    def close(self) -> None:
        self._http.close()


def median_seconds(calls: Iterable[Callable[[], object]]) -> float:
    """The median of the seconds that each call takes."""
    taken = []
    for call in calls:
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory of these processes; what processes share is counted in parts (PSS)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a process that has just ended
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def descriptors(pid: int) -> int:
    """Open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def database_bytes(path: Path) -> int:
    """Bytes of an SQLite database with its log."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def disk_bytes(directory: Path) -> int:
    """Bytes that the files below a directory occupy; a file with several names counts once."""
    found: dict[int, int] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(os.path.join(folder, name))
                found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


class PeakDisk:
    """A context in which the bytes of a directory are watched; `bytes` is their maximum."""

    def __init__(self, directory: Path) -> None:
        self.bytes = 0
        self._directory = directory
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakDisk:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.bytes = max(self.bytes, disk_bytes(self._directory))

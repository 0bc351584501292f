"""The logs of each version: its requests, sampled bodies, and the output of its nodes.

::

    DATA/logs/<digest of the version's name>/access.jsonl       one JSON object a request, no bodies
                                             requests.jsonl     bodies, as far as requestLoggingConfig asks for them
                                             worker-*.log       standard output and error of one node

All of it is bounded in size and goes with the version. Used from the event loop's thread only.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from aip_magics.server.names import VersionKey
from aip_magics.spec import RequestLoggingConfig

FLUSH_SECONDS = 1.0  # what a kill -9 may cost
FLUSH_BYTES = 1 << 16
ACCESS_BYTES = 4 << 20  # then the file is rotated; one older file is kept
REQUEST_BYTES = 32 << 20
NODE_LOG_BYTES = 1 << 20
NODE_LOG_KEPT = NODE_LOG_BYTES // 4  # what stays of a log that grew too large
TRIM_SECONDS = 5.0  # between two looks at the logs of nodes that serve no requests
NODE_LOGS = 5  # files kept per version besides those in use
TAIL_BYTES = 1 << 18  # read at first
MAX_TAIL_BYTES = 8 << 20  # of one file: a few thousand bodies; the answer has to fit into what a client reads


class RotatingLog:
    """JSON lines in a file, written in batches. At `most` bytes the file is rotated; one older file is kept.

    Lines that cannot be written are dropped: a full disk must cost no request its answer. A line says how many, once
    there is space again.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._most = most
        self._lines: list[str] = []
        self._bytes = 0
        self._lost = 0
        self._reason = ""
        self._timer: asyncio.TimerHandle | None = None

    def append(self, line: str) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes > FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines, self._bytes = self._lines, [], 0
            note = [json.dumps({"lostLines": self._lost, "error": self._reason})] if self._lost else []
            try:
                size = _append(self._path, "".join(f"{line}\n" for line in (*note, *lines)))
                self._lost = 0
                if size > self._most:
                    os.replace(self._path, self._older)
            except OSError as error:
                self._lost += len(lines)
                self._reason = error.strerror or str(error)

    def tail(self, lines: int) -> list[str]:
        """The last lines, the newest at the end."""
        self.flush()
        found = _tail(self._path, lines)
        older = _tail(self._older, lines - len(found)) if len(found) < lines else []
        return (older + found)[-lines:]

    @property
    def _older(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")


class VersionLogs:
    """The logs of one version."""

    def __init__(self, folder: Path, name: str, clock: Callable[[], datetime]) -> None:
        self.folder = folder
        self._name = name
        self._clock = clock
        self._access = RotatingLog(folder / "access.jsonl", ACCESS_BYTES)
        self._requests = RotatingLog(folder / "requests.jsonl", REQUEST_BYTES)
        self._trimmed: datetime | None = None
        self._share = 0.0
        self._owed = 0.0
        self._table = ""

    def log_requests(self, config: RequestLoggingConfig | None) -> None:
        """From now on write down the bodies of that share (0 to 1) of the requests, as for its BigQuery table."""
        table = config.bigqueryTableName if config else None
        share = config.samplingPercentage if config else None
        self._table, self._share = table or "", min(max(share or 0.0, 0.0), 1.0) if table else 0.0

    def request(self, status: int, seconds: float, body: bytes, answer: bytes | str) -> None:
        """Write down an answered request; `answer` is the answer's body, or the text of the error."""
        now = self._clock()
        line = f'{{"time": "{_time(now)}", "status": {status}, "ms": {seconds * 1000:.2f}, "bytesIn": {len(body)}'
        if isinstance(answer, bytes):
            self._access.append(f'{line}, "bytesOut": {len(answer)}}}')
            self._owed += self._share  # an even share of what was predicted, without throwing dice
            if self._owed >= 1:
                self._owed -= 1
                self._requests.append(json.dumps(self._row(now, body, answer)))
        else:
            self._access.append(f'{line}, "error": {json.dumps(answer[:500])}}}')
        if self._trimmed is None or (now - self._trimmed).total_seconds() > FLUSH_SECONDS:
            self._trimmed = now
            self.trim()

    def tails(self, lines: int) -> dict[str, list[str]]:
        """The last lines of each kind; those of all nodes one after the other, the newest last."""
        printed = [line for path in self._node_logs() for line in _tail(path, lines)]
        return {
            "access": self._access.tail(lines),
            "nodes": printed[-lines:] if lines else [],
            "requests": self._requests.tail(lines),
        }

    def flush(self) -> None:
        self._access.flush()
        self._requests.flush()

    def prune(self, in_use: Collection[Path]) -> None:
        """Remove the logs of nodes that are long gone. Called when a node is about to start."""
        for path in [path for path in self._node_logs() if path not in in_use][:-NODE_LOGS]:
            with contextlib.suppress(OSError):
                path.unlink()

    def _row(self, now: datetime, body: bytes, answer: bytes) -> dict[str, Any]:
        # The columns that the service demands of the BigQuery table.
        model, _, version = self._name.partition("/versions/")
        return {
            "table": self._table,
            "model": model.rpartition("/")[2],
            "model_version": version,
            "time": _time(now),
            "raw_data": body.decode("utf-8", "replace"),
            "raw_prediction": answer.decode("utf-8", "replace"),
            "groundtruth": None,
        }

    def _node_logs(self) -> list[Path]:
        """The oldest first."""
        found = []
        for path in self.folder.glob("worker-*.log"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def trim(self) -> None:
        """Truncate logs of nodes that are too large. A node continues to append to the same file."""
        for path in self._node_logs():
            with contextlib.suppress(OSError):
                if path.stat().st_size > NODE_LOG_BYTES:
                    with path.open("rb") as file:
                        file.seek(-NODE_LOG_KEPT, os.SEEK_END)
                        kept = file.read()
                    with path.open("ab") as file:
                        file.truncate(0)
                        file.write(b"[the lines before were removed]\n" + kept)


class RequestLogs:
    """The logs of all versions, in one directory."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._open: dict[VersionKey, VersionLogs] = {}

    def of(self, key: VersionKey) -> VersionLogs:
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = VersionLogs(self._folder / get_folder_name(key), key.name, self._clock)
        return found

    def remove(self, key: VersionKey) -> None:
        """Delete the logs of a version that is gone."""
        if logs := self._open.pop(key, None):
            logs.flush()
        shutil.rmtree(self._folder / get_folder_name(key), ignore_errors=True)

    def keep_only(self, keys: Iterable[VersionKey]) -> None:
        """Remove what a killed server has left of versions that are gone."""
        wanted = {get_folder_name(key) for key in keys}
        with contextlib.suppress(FileNotFoundError):
            for folder in self._folder.iterdir():
                if folder.name not in wanted:
                    shutil.rmtree(folder, ignore_errors=True)

    def trim(self) -> None:
        """Truncate logs of nodes that are too large: a node may print without being asked."""
        for logs in self._open.values():
            logs.trim()

    def flush(self) -> None:
        for logs in self._open.values():
            logs.flush()


def get_folder_name(key: VersionKey) -> str:
    """The name of the directory with a version's logs."""
    # A digest: no path comes from what a request says.
    return hashlib.sha256(f"{key.location}/{key.name}".encode()).hexdigest()[:16]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _append(path: Path, text: str) -> int:
    """Append a text, all of it or nothing; return the size of the file in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        rest = memoryview(text.encode())
        size = end + len(rest)
        try:
            while rest:
                rest = rest[file.write(rest) :]  # on a full disk only the second write fails
        except OSError:
            file.truncate(end)
            raise
    return size


def _tail(path: Path, lines: int) -> list[str]:
    """At least so many of the last lines, fewer of a shorter file or if they are longer than MAX_TAIL_BYTES."""
    size, found = TAIL_BYTES, list[str]()
    while True:
        try:
            with path.open("rb") as file:
                start = max(file.seek(0, os.SEEK_END) - size, 0)
                file.seek(start)
                found = file.read(size).decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        found = found[1:] if start else found  # the first one may be cut
        if start == 0 or len(found) >= lines or size >= MAX_TAIL_BYTES:
            return found
        size = min(size * 4, MAX_TAIL_BYTES)

"""The journal of a notebook: what was done from it, and which operations it left running.

One file per notebook below the data directory, readable by its owner only. It holds names and times, never the line
that was typed: that may hold a password.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HISTORY_DIR = "journals"  # below the data directory
MAX_ENTRIES = 500
LOCK_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class HistoryEntry:
    """One thing that was done: `outcome` is `running`, `done`, `failed` or `cancelled`.

    `at` is an RFC 3339 time; `where` are the settings that find the same place again (target, project, region …).
    """

    at: str
    verb: str
    outcome: str
    what: str = ""
    operation: str = ""
    error: str = ""
    where: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass
class HistoryLog:
    """The journal of one notebook. `key` is what tells it from others: its path, or the directory of a terminal.

    `added` counts what was written through this object.
    """

    data_dir: Path
    key: str
    clock: Callable[[], datetime.datetime]
    added: int = 0

    @property
    def path(self) -> Path:
        digest = hashlib.sha256(self.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.data_dir / HISTORY_DIR / f"{digest}.json"

    def entries(self) -> list[HistoryEntry]:
        """All entries, the oldest first. A journal that cannot be read is as good as an empty one."""
        try:
            data = json.loads(self.path.read_text("utf-8"))
            return [HistoryEntry(**entry) for entry in data["entries"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def running(self) -> list[HistoryEntry]:
        """The operations whose end this notebook has not seen, the oldest first."""
        return [entry for entry in self.entries() if entry.operation and entry.outcome == "running"]

    def add(
        self,
        verb: str,
        outcome: str,
        *,
        what: str = "",
        operation: str = "",
        error: str = "",
        where: Mapping[str, str] | None = None,
    ) -> None:
        """Write down one thing that was done."""
        self.added += 1
        entry = HistoryEntry(self._now(), verb, outcome, what, operation, error, dict(where or {}))
        self._change(lambda entries: [*entries, entry])

    def ended(self, operation: str, outcome: str, error: str = "") -> None:
        """Write down how an operation ended; what is not known here is left alone."""
        if not any(entry.operation == operation for entry in self.running()):
            return

        def end(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
            return [
                dataclasses.replace(entry, outcome=outcome, error=error) if entry.operation == operation else entry
                for entry in entries
            ]

        self._change(end)

    def _change(self, change: Callable[[Sequence[HistoryEntry]], list[HistoryEntry]]) -> None:
        from filelock import FileLock

        from aip_magics.targets.state import write_private

        # A full or read-only disk costs the history, not the deployment that is being written down.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_SECONDS, mode=0o600):
                entries = change(self.entries())[-MAX_ENTRIES:]
                data = {"notebook": self.key, "entries": [entry.to_json() for entry in entries]}
                write_private(self.path, json.dumps(data, ensure_ascii=False, indent=1))

    def _now(self) -> str:
        return self.clock().astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def open_history_log(data_dir: Path) -> HistoryLog:
    """The journal of the command line in this directory, and of a notebook there whose path nobody tells."""
    return HistoryLog(data_dir, f"{Path.cwd()}{os.sep}", now)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)

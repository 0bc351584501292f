"""The history of a notebook: what it changed, and which operations it left running.

Each notebook has one file below the data directory, readable by its owner only. The file holds names and times, but
never the typed line, which may contain a password.
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
    """One change: `outcome` is `running`, `done`, `failed` or `cancelled`.

    `at` is an RFC 3339 time; `where` are the settings of the target (target, project, region …).
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
    """The history of one notebook.

    `key` identifies the notebook: its path, or the working directory of the command line. `added` counts the entries
    that were written through this object.
    """

    data_dir: Path
    key: str
    clock: Callable[[], datetime.datetime]
    added: int = 0

    @property
    def path(self) -> Path:
        """The file of this notebook."""
        digest = hashlib.sha256(self.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.data_dir / HISTORY_DIR / f"{digest}.json"

    def entries(self) -> list[HistoryEntry]:
        """Read all entries, the oldest first. A file that cannot be read counts as empty."""
        try:
            data = json.loads(self.path.read_text("utf-8"))
            return [HistoryEntry(**entry) for entry in data["entries"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def running(self) -> list[HistoryEntry]:
        """Return the entries of operations that are still running, the oldest first."""
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
        """Add an entry."""
        self.added += 1
        entry = HistoryEntry(self._now(), verb, outcome, what, operation, error, dict(where or {}))
        self._change(lambda entries: [*entries, entry])

    def ended(self, operation: str, outcome: str, error: str = "") -> None:
        """Set the outcome of a running operation; an unknown operation is ignored."""
        if not any(entry.operation == operation for entry in self.running()):
            return

        def set_outcome(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
            return [
                dataclasses.replace(entry, outcome=outcome, error=error) if entry.operation == operation else entry
                for entry in entries
            ]

        self._change(set_outcome)

    def _change(self, change: Callable[[Sequence[HistoryEntry]], list[HistoryEntry]]) -> None:
        from filelock import FileLock

        from aip_magics.targets.state import write_private

        # A full or read-only disk loses the history but must not fail the deployment.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_SECONDS, mode=0o600):
                entries = change(self.entries())[-MAX_ENTRIES:]
                data = {"notebook": self.key, "entries": [entry.to_json() for entry in entries]}
                write_private(self.path, json.dumps(data, ensure_ascii=False, indent=1))

    def _now(self) -> str:
        return self.clock().astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def open_history_log(data_dir: Path) -> HistoryLog:
    """Open the history of the working directory: for the command line, and for notebooks without a known path."""
    try:
        directory = os.getcwd()
    except OSError:  # the working directory was deleted; most commands do not need it
        directory = ""
    return HistoryLog(data_dir, f"{directory}{os.sep}", now)


def now() -> datetime.datetime:
    """Return the current time in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)

"""The journal of a model's traffic: the splits that it had as far as this user's commands saw them, for a rollback.

Each model of each endpoint has one file below the data directory, readable by its owner only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aip_magics.commands.common.history_log import now
from aip_magics.commands.common.traffic_split import ALL
from aip_magics.data_directory import create_data_dir
from aip_magics.errors import SettingsError

TRAFFIC_DIR = "traffic"  # below the data directory
MAX_ENTRIES = 50  # splits of a model
MAX_FILES = 500  # models; the files that were changed longest ago are deleted
LOCK_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class TrafficEntry:
    """A split that a model had at a time (RFC 3339): percent by version."""

    at: str
    split: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class TrafficJournal:
    """The journal of one model; `key` names its endpoint, project and ID."""

    data_dir: Path
    key: str
    clock: Callable[[], datetime.datetime] = now

    @property
    def path(self) -> Path:
        """The file of this model."""
        return self.data_dir / TRAFFIC_DIR / f"{hashlib.sha256(self.key.encode()).hexdigest()[:32]}.json"

    def entries(self) -> list[TrafficEntry]:
        """Read all entries, the oldest first. A file that is missing or damaged counts as empty."""
        try:
            data = json.loads(self.path.read_text("utf-8"))
            return [_entry(item) for item in data["entries"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return []

    def find_before(self, current: Mapping[str, int] | None) -> TrafficEntry | None:
        """The newest split that is not the current one; None if none is known.

        Without `current` the newest entry counts as the current split. After a change by another client, whose split is
        not in the journal, the newest entry is the split before that change.
        """
        entries = self.entries()
        if current is None and entries:
            current = entries[-1].split
        return next((entry for entry in reversed(entries) if entry.split != current), None)

    def add(self, split: Mapping[str, int]) -> bool:
        """Add a split that the model has now; return False if the file cannot be written.

        The splits before it stay known, but no split is entered twice in succession.
        """
        from filelock import FileLock
        from filelock import Timeout as LockTimeout

        from aip_magics.targets.state import write_private

        moment = self.clock().astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            directory = create_data_dir(self.data_dir) / TRAFFIC_DIR
            directory.mkdir(mode=0o700, exist_ok=True)
            # One lock for all models: a change is rare, and a lock file for each model would stay for ever.
            with FileLock(directory / "lock", timeout=LOCK_SECONDS, mode=0o600):
                entries = self.entries()
                if entries and entries[-1].split == split:
                    return True
                entries = [*entries, TrafficEntry(moment, dict(split))][-MAX_ENTRIES:]
                data = {"model": self.key, "entries": [dataclasses.asdict(entry) for entry in entries]}
                write_private(self.path, json.dumps(data, ensure_ascii=False, indent=1))
                _prune(directory)
        except (OSError, SettingsError, LockTimeout):
            return False
        return True


def _entry(item: Mapping[str, Any]) -> TrafficEntry:
    split = {str(version): int(percent) for version, percent in item["split"].items()}
    if not split or not all(0 <= percent <= ALL for percent in split.values()):
        raise ValueError(split)
    return TrafficEntry(str(item["at"]), split)


def _prune(directory: Path) -> None:
    found = []
    for path in directory.glob("*.json"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime_ns, path))
    for _changed, path in sorted(found, reverse=True)[MAX_FILES:]:
        path.unlink(missing_ok=True)

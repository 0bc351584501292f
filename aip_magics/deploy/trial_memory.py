"""Remembered results of local trials: files in the data directory, readable by their owner only."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from aip_magics.checks.context import TrialResult
from aip_magics.data_directory import TRIALS, create_data_dir
from aip_magics.deploy.trial import Trial
from aip_magics.deploy.trial_inputs import TrialInputs, trial_case, trial_inputs, worker_variables
from aip_magics.errors import ModelDirError, SettingsError
from aip_magics.storage import TransferPaths
from aip_magics.targets.state import write_private

MAX_ENTRIES = 100  # the least recently used results beyond that number are deleted
MAX_ENTRY_BYTES = 1 << 20  # a result with larger predictions is not remembered
MAX_TOTAL_BYTES = 16 << 20
_CLOCK_TICK_NS = 2_000_000_000  # of the coarsest file system


class TrialMemory:
    """The remembered result of one trial. Built before the trial runs, so that a later change of its inputs shows.

    A result that cannot be read, or that is damaged, does not exist; one that cannot be written is not remembered.
    """

    def __init__(self, trial: Trial, data_dir: Path) -> None:
        self._trial = trial
        self._data_dir = data_dir
        self._inputs = trial_inputs(trial)
        self._content: str | None = None  # digest of the files' content before the trial, once it is known

    def find(self) -> TrialResult | None:
        """The result of the last trial that passed with the same inputs, with the time when that was."""
        if self._inputs is None or (entry := _read(self._path(self._inputs))) is None:
            return None
        try:
            self._content = self._digest(self._inputs)
        except OSError:
            return None
        if entry.pop("content") != self._content:
            return None
        with contextlib.suppress(OSError):
            os.utime(self._path(self._inputs))
        return TrialResult(**entry)

    def watch(self) -> None:
        """Prepare for `remember`; call it before the trial runs.

        A file may change twice within one tick of the file system's clock. One that has just been written is therefore
        read before and after the trial; for the others the times tell.
        """
        if self._inputs is not None and not self._inputs.settled and self._content is None:
            with contextlib.suppress(OSError):
                self._content = self._digest(self._inputs)

    def remember(self, result: TrialResult) -> None:
        """Store the result of a trial that passed, unless its inputs have changed since `watch`."""
        if self._inputs is None or result.error is not None or result.predictions is None:
            return
        if not self._started_with(self._inputs):
            return
        with contextlib.suppress(OSError, SettingsError):
            content = self._digest(self._inputs)
            after = trial_inputs(self._trial)
            if after is None or (after.key, after.stamps) != (self._inputs.key, self._inputs.stamps):
                return
            if content != self._content and not (self._content is None and self._inputs.settled):
                return
            _write(create_data_dir(self._data_dir) / TRIALS, self._path(self._inputs), content, result)

    def _started_with(self, inputs: TrialInputs) -> bool:
        """Whether the processes of this kernel were started with the inputs' libraries and environment variables.

        A fork server keeps what it imported when `pip` installs another version, and the variables of its start.
        """
        from aip_magics.prediction.worker_pool import shared

        pool = shared()
        unchanged = inputs.installed_ns < pool.created_ns - _CLOCK_TICK_NS
        return unchanged and worker_variables(self._trial, pool.environ) == worker_variables(self._trial, os.environ)

    def _digest(self, inputs: TrialInputs) -> str:
        return inputs.content_digest(TransferPaths.below(self._data_dir).digests)

    def _path(self, inputs: TrialInputs) -> Path:
        return self._data_dir / TRIALS / f"{inputs.key}.json"


def has_similar(model_dir: Path, body: bytes, data_dir: Path) -> bool:
    """Whether a result of these instances, and of files with these names and sizes, is remembered."""
    try:
        return any((data_dir / TRIALS).glob(f"{trial_case(model_dir, body)}-*"))
    except (OSError, ModelDirError):
        return False


def passed_time(result: TrialResult) -> str:
    """The time of a remembered trial, `2026-11-29 04:10 UTC`: a saved notebook is read in other time zones."""
    moment = datetime.datetime.fromtimestamp(result.passed_at or 0.0, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _read(path: Path) -> dict[str, Any] | None:
    """The fields of a result, with the digest of its files as `content`; None if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            checksum, _newline, text = file.read(2 * MAX_ENTRY_BYTES).partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != checksum:
            return None
        entry = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and entry.keys() == _FIELDS else None


_FIELDS = {"content", "predictions", "load_seconds", "predict_seconds", "memory_bytes", "passed_at"}


def _write(directory: Path, path: Path, content: str, result: TrialResult) -> None:
    fields = {name: value for name, value in dataclasses.asdict(result).items() if name in _FIELDS}
    text = json.dumps({**fields, "content": content, "passed_at": time.time()})
    if len(text) > MAX_ENTRY_BYTES:
        return
    directory.mkdir(mode=0o700, exist_ok=True)
    write_private(path, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
    _prune(directory)


def _prune(directory: Path) -> None:
    """Delete the least recently used results; what an interrupted process left behind grows old as well."""
    found = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process is pruning, too
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    total = 0
    for count, (_used, size, path) in enumerate(sorted(found, reverse=True), start=1):
        total += size
        if count > MAX_ENTRIES or total > MAX_TOTAL_BYTES:
            path.unlink(missing_ok=True)

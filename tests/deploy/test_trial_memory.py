"""Remembered trials: private, bounded, and gone as soon as anything about them is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest

from aip_magics.checks.context import TrialResult
from aip_magics.data_directory import TRIALS
from aip_magics.deploy import trial_memory
from aip_magics.deploy.trial import Trial
from aip_magics.deploy.trial_memory import TrialMemory, has_similar, passed_time
from aip_magics.errors import PredictionError
from aip_magics.prediction import worker_pool

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
RESULT = TrialResult(predictions=[{"label": "ä", "score": 0.1 + 0.2}], load_seconds=2.5, memory_bytes=123456789)


@pytest.fixture
def trial(tmp_path: Path, iris_export: Path) -> Trial:
    worker_pool.shared()  # it exists from the first prediction on
    shutil.copytree(iris_export, tmp_path / "model")
    return Trial(tmp_path / "model", BODY, "SCIKIT_LEARN", listed_code_only=True)


def remember(trial: Trial, home: Path, result: TrialResult = RESULT) -> None:
    memory = TrialMemory(trial, home)
    memory.watch()
    memory.remember(result)


def find(trial: Trial, home: Path) -> TrialResult | None:
    return TrialMemory(trial, home).find()


def numbered(trial: Trial, number: int) -> Trial:
    return dataclasses.replace(trial, body=b'{"instances": [%d]}' % number)


def entry_of(home: Path) -> Path:
    [path] = (home / TRIALS).iterdir()
    return path


def test_trial_memory_returns_the_result_and_its_time(trial: Trial, home: Path) -> None:
    assert find(trial, home) is None
    assert not home.exists()
    remember(trial, home)
    found = find(trial, home)
    assert found is not None
    assert found.passed_at is not None
    assert 0 <= time.time() - found.passed_at < 60
    assert dataclasses.replace(found, passed_at=None) == RESULT
    assert passed_time(dataclasses.replace(found, passed_at=1795925400.0)) == "2026-11-29 04:10 UTC"


def test_trial_memory_has_similar_tells_instances_and_sizes(trial: Trial, home: Path) -> None:
    assert not has_similar(trial.model_dir, BODY, home)
    remember(trial, home)
    assert has_similar(trial.model_dir, BODY, home)
    assert not has_similar(trial.model_dir, b"{}", home)
    assert not has_similar(trial.model_dir / "nowhere", BODY, home)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_trial_memory_is_readable_by_its_owner_only(trial: Trial, home: Path) -> None:
    remember(trial, home)
    assert stat.S_IMODE((home / TRIALS).stat().st_mode) == 0o700
    assert stat.S_IMODE(entry_of(home).stat().st_mode) == 0o600


def test_trial_memory_holds_neither_instances_nor_variables(
    trial: Trial, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool.shared(), "environ", {**os.environ, "TZ": "Asia/Seoul"})
    monkeypatch.setenv("TZ", "Asia/Seoul")
    remember(trial, home)
    text = entry_of(home).read_text("utf-8")
    assert "5.1" not in text
    assert "Seoul" not in text
    assert str(trial.model_dir) not in text


@pytest.mark.parametrize(
    "result",
    [
        TrialResult(error=PredictionError("FAILED_TO_LOAD_MODEL", "no")),
        TrialResult(),
        TrialResult(predictions=["x" * trial_memory.MAX_ENTRY_BYTES]),
    ],
    ids=["failed", "none", "large"],
)
def test_trial_memory_does_not_remember(trial: Trial, home: Path, result: TrialResult) -> None:
    remember(trial, home, result)
    assert find(trial, home) is None
    assert not (home / TRIALS).exists()


@pytest.mark.parametrize("change", ["content", "file"])
def test_trial_memory_does_not_remember_if_the_files_change_during_the_trial(
    trial: Trial, home: Path, change: str
) -> None:
    path = trial.model_dir / ("model.joblib" if change == "content" else "more")
    content = bytearray((trial.model_dir / "model.joblib").read_bytes())
    content[-20] ^= 1
    memory = TrialMemory(trial, home)
    memory.watch()
    path.write_bytes(content)
    memory.remember(RESULT)
    assert not (home / TRIALS).exists()


def test_trial_memory_compares_the_content_of_a_file_that_was_just_written(trial: Trial, home: Path) -> None:
    """Two changes within one tick of a coarse clock: the stamps are the same."""
    memory = TrialMemory(trial, home)
    memory.watch()
    assert memory._inputs is not None
    assert not memory._inputs.settled
    (trial.model_dir / "model.joblib").write_bytes(os.urandom((trial.model_dir / "model.joblib").stat().st_size))
    stamps = tuple(trial_memory.trial_inputs(trial).stamps)  # type: ignore[union-attr]
    memory._inputs = dataclasses.replace(memory._inputs, stamps=stamps)
    memory.remember(RESULT)
    assert not (home / TRIALS).exists()


@pytest.mark.parametrize("late", ["variable", "library"])
def test_trial_memory_does_not_remember_what_older_processes_answer(
    trial: Trial, home: Path, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if late == "variable":
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    else:
        monkeypatch.setattr(worker_pool.shared(), "created_ns", 10**18)  # before anything was installed
    remember(trial, home)
    assert not (home / TRIALS).exists()


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "list", "field", "large"])
@pytest.mark.slow
def test_trial_memory_takes_a_damaged_file_for_none(trial: Trial, home: Path, how: str) -> None:
    remember(trial, home)
    path = entry_of(home)
    whole = path.read_bytes()
    checksum = hashlib.sha256
    damaged = {
        "empty": b"",
        "cut": whole[:-1],
        "flipped": whole.replace(b"0.30000000000000004", b"0.90000000000000004"),
        "list": checksum(b"[]").hexdigest().encode() + b"\n[]",
        "field": checksum(b'{"content": ""}').hexdigest().encode() + b'\n{"content": ""}',
        "large": whole + b" " * (3 * trial_memory.MAX_ENTRY_BYTES),
    }[how]
    assert damaged != whole
    path.write_bytes(damaged)
    assert find(trial, home) is None
    remember(trial, home)
    assert find(trial, home) is not None


def test_trial_memory_that_cannot_be_used_is_empty(trial: Trial, home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / TRIALS).write_text("a file")
    assert find(trial, home) is None
    remember(trial, home)
    assert find(trial, home) is None


def test_trial_memory_misses_another_content_of_the_same_size(trial: Trial, home: Path) -> None:
    remember(trial, home)
    path = trial.model_dir / "model.joblib"
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    assert find(trial, home) is None
    path.write_bytes(content)
    assert find(trial, home) is not None


@pytest.mark.slow
def test_trial_memory_is_bounded_and_the_least_recently_used_goes(
    trial: Trial, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_memory, "MAX_ENTRIES", 3)
    for number in range(3):
        remember(numbered(trial, number), home)
        newest = max((home / TRIALS).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(number, number))
    assert find(numbered(trial, 0), home) is not None  # used last
    remember(numbered(trial, 3), home)
    assert [find(numbered(trial, number), home) is not None for number in range(4)] == [True, False, True, True]
    monkeypatch.setattr(trial_memory, "MAX_TOTAL_BYTES", 2 * entry_size(home))
    remember(numbered(trial, 4), home)
    assert len(list((home / TRIALS).iterdir())) == 2


def entry_size(home: Path) -> int:
    return max(path.stat().st_size for path in (home / TRIALS).iterdir()) + 1

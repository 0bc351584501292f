"""The journal of a notebook: what is in it, who may read it, what it survives."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from resource_lines import NOON, Lines

from aip_magics.commands.common.history_log import MAX_ENTRIES, HistoryLog
from aip_magics.errors import NotFound, OptionError


def journal(home: Path, key: str = "a.ipynb") -> HistoryLog:
    return HistoryLog(home, key, lambda: NOON)


def test_history_log_has_an_operation_running_until_its_end_is_seen(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.add("deploy", "running", what="m/v1", operation="projects/p/operations/o", where={"target": "local"})
    (entry,) = journal(tmp_path).running()
    assert (entry.at, entry.verb, dict(entry.where)) == ("2026-11-23T12:00:00Z", "deploy", {"target": "local"})
    assert journal(tmp_path, "b.ipynb").entries() == []  # another notebook's
    journal(tmp_path).ended("projects/p/operations/o", "done")
    journal(tmp_path).ended("projects/p/operations/unknown", "done")
    assert one.running() == []
    assert [entry.outcome for entry in one.entries()] == ["done"]


def test_history_log_is_readable_by_its_owner_only_and_empty_when_damaged(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.add("delete", "done")
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(one.path.parent.stat().st_mode) == 0o700
    one.path.write_text('{"entries": [{"at": 1}]}')
    assert one.entries() == []
    one.add("delete", "done")
    assert len(one.entries()) == 1


def test_history_log_that_cannot_be_written_costs_the_history_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one = journal(tmp_path / "file")
    one.add("delete", "done")
    assert one.entries() == []


def test_history_log_loses_nothing_with_many_writers_and_stays_bounded(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for index in range(5):
            journal(tmp_path).add("delete", "done", what=f"{number}-{index}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.what for entry in journal(tmp_path).entries()}) == 20
    one = journal(tmp_path, "long.ipynb")
    one._change(lambda _: [*journal(tmp_path).entries()] * 30)
    one.add("delete", "done", what="the newest")
    assert len(one.entries()) == MAX_ENTRIES
    assert one.entries()[-1].what == "the newest"


def test_history_log_records_what_changes_something_and_no_more(embedded: Path) -> None:
    aip = Lines(embedded)
    aip("create-model iris --description secret-words")
    aip("list")
    aip("create-model iris --dry-run")
    aip("delete --model iris --yes --show curl")
    with pytest.raises(OptionError):
        aip("delete --model iris")
    with pytest.raises(NotFound):
        aip("set-default v1 --model iris")
    aip("delete --model iris --yes")
    found = [(entry.verb, entry.outcome, entry.what, entry.error) for entry in aip("history").entries]
    assert found == [
        ("create-model", "done", "projects/aip-local/models/iris", ""),
        ("delete", "failed", "iris", "OptionError"),
        ("set-default", "failed", "iris/v1", "NotFound"),
        ("delete", "done", "iris", ""),
    ]
    assert "secret-words" not in aip.journal.path.read_text()
    assert [entry.verb for entry in aip("history --limit 1").entries] == ["delete"]
    with pytest.raises(OptionError, match="at least 1 line"):
        aip("history --limit 0")

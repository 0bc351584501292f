"""The journal of a model's traffic: what was before, kept within bounds, whatever happens to its file."""

from __future__ import annotations

import datetime
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.commands.common import traffic_journal
from aip_magics.commands.common.traffic_journal import TrafficJournal

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)
DAMAGED_SPLITS = ("[1]", "{}", '{"v1": Infinity}', '{"v1": 105, "v2": -5}')
V1, V2, V3, BOTH = {"v1": 100}, {"v2": 100}, {"v3": 100}, {"v1": 90, "v2": 10}


def journal(home: Path, key: str = "local global p projects/p/models/m") -> TrafficJournal:
    return TrafficJournal(home, key, lambda: NOON)


def test_traffic_journal_finds_what_was_before(home: Path) -> None:
    book = journal(home)
    assert book.find_before(V1) is None
    for split in (V1, BOTH, V2):
        assert book.add(split)
    found = book.find_before(V2)
    assert found is not None
    assert (found.split, found.at) == (BOTH, "2026-11-23T12:00:00Z")
    assert book.find_before(None) == found  # the newest entry counts as the current split
    other_client = book.find_before(V3)
    assert other_client is not None
    assert other_client.split == V2
    assert journal(home, "another").entries() == []


def test_traffic_journal_does_not_enter_a_split_twice_in_succession(home: Path) -> None:
    book = journal(home)
    for split in (V1, V1, V2, V2, V1):
        book.add(split)
    assert [entry.split for entry in book.entries()] == [V1, V2, V1]


@given(st.lists(st.sampled_from([V1, V2, V3, BOTH]), min_size=1, max_size=12))
@pytest.mark.slow
def test_traffic_journal_rolled_back_twice_is_where_it_was(
    tmp_path_factory: pytest.TempPathFactory, splits: list[dict[str, int]]
) -> None:
    book = journal(tmp_path_factory.mktemp("home"))
    for split in splits:
        book.add(split)
    current = splits[-1]
    before = book.find_before(current)
    assert (before is None) == all(split == current for split in splits)
    if before is not None:
        book.add(before.split)
        after = book.find_before(before.split)
        assert after is not None
        assert after.split == current


def test_traffic_journal_is_bounded_and_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_journal, "MAX_FILES", 3)
    book = journal(home)
    for number in range(traffic_journal.MAX_ENTRIES + 10):
        book.add({f"v{number}": 100})
    assert len(book.entries()) == traffic_journal.MAX_ENTRIES
    assert book.entries()[-1].split == {f"v{traffic_journal.MAX_ENTRIES + 9}": 100}
    for number in range(5):
        journal(home, f"model {number}").add(V1)
        os.utime(journal(home, f"model {number}").path, ns=(number, number + 1))
    assert len(list(book.path.parent.glob("*.json"))) == 3
    if sys.platform != "win32":
        assert stat.S_IMODE(book.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"entries": 1}', '"a"', "[" * 100_000),
        *(f'{{"entries": [{{"at": "x", "split": {split}}}]}}' for split in DAMAGED_SPLITS),
    ],
)
def test_traffic_journal_starts_anew_after_damage(home: Path, text: str) -> None:
    book = journal(home)
    book.add(V1)
    book.path.write_text(text)
    assert book.entries() == []
    assert book.add(V2)
    assert [entry.split for entry in book.entries()] == [V2]


def test_traffic_journal_says_if_it_cannot_be_written(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file in the place of the data directory")
    assert journal(home).add(V1) is False


def test_traffic_journal_loses_nothing_when_two_write(home: Path) -> None:
    def write(letter: str) -> None:
        for number in range(10):
            journal(home).add({f"{letter}{number}": 100})

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {name for entry in journal(home).entries() for name in entry.split}
    assert names == {f"{letter}{number}" for letter in "ab" for number in range(10)}

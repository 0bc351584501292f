"""CHANGELOG.md follows keepachangelog.com 1.1: known headings under each version, entries of a few lines."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "CHANGELOG.md").read_text("utf-8")
HEADINGS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_changelog_has_versions_newest_first_with_a_link_each() -> None:
    versions = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", TEXT, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert re.findall(r"^## (?!\[)", TEXT, re.MULTILINE) == []
    assert re.findall(r"^\[(.+?)\]: https://", TEXT, re.MULTILINE) == versions


def test_changelog_headings_are_the_known_ones_in_order() -> None:
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert headings == [name for name in HEADINGS if name in headings]


def test_changelog_entries_have_at_most_three_lines() -> None:
    entries = re.findall(r"^- .+\n(?:  .+\n)*", TEXT, re.MULTILINE)
    assert len(entries) > 10
    assert [entry for entry in entries if entry.count("\n") > 3] == []

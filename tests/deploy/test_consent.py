"""trusted.json: written by many at once, for its owner only, and never by a model."""

from __future__ import annotations

import concurrent.futures
import json
import stat
from pathlib import Path

import pytest

from aip_magics import artifacts
from aip_magics.checks import Subject
from aip_magics.deploy import consent
from aip_magics.errors import SettingsError
from aip_magics.spec import Model, Version


def subject(folder: Path, number: int) -> Subject:
    """A model of a module that nobody knows; each number is another content."""
    folder.mkdir()
    (folder / "model.pkl").write_bytes(b"\x80\x02cown%d\nModel\n)R." % number)
    return Subject(Model(name="m"), Version(), artifacts.look(folder))


def test_nobody_s_consent_is_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / consent.FILE).write_text('{"modules": ["ours"], "note": "mine"}')
    subjects = [subject(tmp_path / f"m{number}", number) for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda one: consent.given(one, home), subjects))
    trust = consent.trust_in(home)
    assert trust.modules == {"ours"}
    assert len(trust.files) == len(subjects)
    assert all(one.trust is not None and one.trust.files <= trust.files for one in given)
    written = json.loads((home / consent.FILE).read_text())
    assert written["note"] == "mine"
    assert stat.S_IMODE((home / consent.FILE).stat().st_mode) == 0o600


def test_what_needs_no_consent_is_not_written_down(tmp_path: Path, iris_export: Path) -> None:
    known = Subject(Model(name="m"), Version(), artifacts.look(iris_export))
    assert consent.given(known, tmp_path / "home").trust is not None
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"modules": "ours"}', '{"modules": [1]}', '{"files": []}', "\xff"])
def test_a_damaged_file_trusts_nothing_and_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / consent.FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match="cannot be read"):
        consent.trust_in(tmp_path)

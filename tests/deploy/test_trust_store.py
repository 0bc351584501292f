"""trusted.json: written by many at once, for its owner only, and never by a model."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import stat
from pathlib import Path

import pytest

from aip_magics import artifacts
from aip_magics.checks import CheckContext
from aip_magics.checks.trust import is_trusted
from aip_magics.deploy import trust_store
from aip_magics.errors import SettingsError
from aip_magics.spec import Model, Version
from aip_magics.trust import FILE, Trust, trust_in


def subject(folder: Path, number: int) -> CheckContext:
    """A model of a module that nobody knows; each number is another content."""
    folder.mkdir()
    (folder / "model.pkl").write_bytes(b"\x80\x02cown%d\nModel\n)R." % number)
    return CheckContext(Model(name="m"), Version(), artifacts.inspect_model_dir(folder))


def test_trust_store_loses_nobodys_consent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / FILE).write_text('{"modules": ["ours"], "note": "mine"}')
    subjects = [subject(tmp_path / f"m{number}", number) for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda one: trust_store.grant_trust(one, home), subjects))
    trust = trust_in(home)
    assert trust.modules == {"ours"}
    assert len(trust.files) == len(subjects)
    assert all(one.trust is not None and one.trust.files.items() <= trust.files.items() for one in given)
    written = json.loads((home / FILE).read_text())
    assert written["note"] == "mine"
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_trust_store_writes_consent_down_whatever_was_seen_before(tmp_path: Path, iris_export: Path) -> None:
    """The worker may refuse what the look at the file found nothing in: `--trust` has to help then, too."""
    known = CheckContext(Model(name="m"), Version(), artifacts.inspect_model_dir(iris_export))
    home = tmp_path / "home"
    assert trust_store.with_trust(known, home, vouched=False).trust == Trust()
    assert not home.exists()
    trust = trust_store.grant_trust(known, home).trust
    content = (iris_export / "model.joblib").read_bytes()
    assert trust == trust_in(home) == Trust(files={hashlib.sha256(content).hexdigest(): len(content)})


def test_trust_store_forgets_the_oldest_consents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store, "MAX_FILES", 3)
    for number in range(5):
        trust_store.grant_trust(subject(tmp_path / f"m{number}", number), tmp_path / "home")
    found = json.loads((tmp_path / "home" / FILE).read_text())["files"]
    kept = [hashlib.sha256((tmp_path / f"m{number}" / "model.pkl").read_bytes()).hexdigest() for number in (2, 3, 4)]
    assert list(found) == kept


def test_trust_store_reads_the_list_of_an_earlier_version(tmp_path: Path) -> None:
    one = subject(tmp_path / "m", 1)
    content = (tmp_path / "m" / "model.pkl").read_bytes()
    (tmp_path / FILE).write_text(json.dumps({"files": {hashlib.sha256(content).hexdigest(): "model.pkl"}}))
    assert is_trusted(trust_store.require(one, tmp_path, vouched=False))


@pytest.mark.parametrize("text", ["", "[]", '{"modules": "ours"}', '{"modules": [1]}', '{"files": []}', "\xff"])
def test_trust_store_that_is_damaged_trusts_nothing_and_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match="could not read"):
        trust_in(tmp_path)

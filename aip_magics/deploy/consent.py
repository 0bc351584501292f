"""What the user trusts, as `trusted.json` has it.

The file lies in the data directory, for its owner only; nothing of a model is ever asked. `files` maps the sha256 of a
model file to its name and is written by `--trust`; `modules` is for the user to write: `["lightgbm", "our_company"]`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import checks
from aip_magics.checks import Subject
from aip_magics.checks.trust import TRUST, Trust, digest, strangers
from aip_magics.errors import SettingsError
from aip_magics.language import say

FILE = "trusted.json"
LOCK_SECONDS = 10.0


def trust_in(data_dir: Path) -> Trust:
    """What is trusted since before. SettingsError where the file is damaged: then nobody knows what was."""
    written = _read(data_dir / FILE)
    return Trust(frozenset(written["modules"]), frozenset(written["files"]))


def trusting(subject: Subject, data_dir: Path, *, vouched: bool) -> Subject:
    """With what the user trusts since before; and where `--trust` was said (`vouched`), all that this model has."""
    subject = dataclasses.replace(subject, trust=trust_in(data_dir))
    return given(subject, data_dir) if vouched else subject


def require(subject: Subject, data_dir: Path, *, vouched: bool) -> None:
    """The rule of trust, before the model is loaded. ChecksFailed where that would run what is not trusted."""
    outcome = checks.RULES[TRUST].apply(trusting(subject, data_dir, vouched=vouched))
    checks.Report.of({TRUST: outcome}).raise_on_errors()


def given(subject: Subject, data_dir: Path) -> Subject:
    """The user said `--trust`: what loading would run is trusted from now on, by the content of each file."""
    if subject.model_dir is None:
        return subject
    trust = subject.trust or Trust()
    found = {digest(one.file): one.file.name for one in strangers(subject, subject.model_dir)}
    if found.keys() - trust.files:
        _remember(data_dir, found)
    return dataclasses.replace(subject, trust=dataclasses.replace(trust, files=trust.files | found.keys()))


def _remember(data_dir: Path, files: Mapping[str, str]) -> None:
    import filelock

    from aip_magics.targets.state import write_private

    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = data_dir / FILE
    with filelock.FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600):
        written = _read(path)
        written["files"].update(files)
        write_private(path, json.dumps(written, ensure_ascii=False, indent=1))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        modules, files = found.get("modules", []), found.get("files", {})
        if not isinstance(files, dict) or not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
            raise ValueError
    except FileNotFoundError:
        return {"modules": [], "files": {}}
    except (OSError, ValueError, AttributeError):
        text = say("the list of what you trust cannot be read")
        fix = say("mend it, {example}, or delete it", example='{"modules": [], "files": {}}')
        raise SettingsError(text, where=str(path), fix=fix) from None
    return {**found, "modules": modules, "files": files}

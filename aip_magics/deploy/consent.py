"""What the user trusts, as `trusted.json` has it.

The file lies in the data directory, for its owner only; nothing of a model is ever asked. `files` maps the sha256 of a
file to its name and size and is written by `--trust`; `modules` is for the user to write: `["our_company"]`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import checks
from aip_magics.artifacts import File
from aip_magics.checks import Subject
from aip_magics.checks.trust import QUESTIONS, Trust, digest
from aip_magics.errors import SettingsError
from aip_magics.language import say

FILE = "trusted.json"
LOCK_SECONDS = 10.0
MOST_FILES = 1_000  # remembered; those trusted longest ago are forgotten first


def trust_in(data_dir: Path) -> Trust:
    """What is trusted since before. SettingsError where the file is damaged: then nobody knows what was."""
    written = _read(data_dir / FILE)
    return Trust(frozenset(written["modules"]), {name: _size(one) for name, one in written["files"].items()})


def trusting(subject: Subject, data_dir: Path, *, vouched: bool) -> Subject:
    """With what the user trusts since before; and where `--trust` was said (`vouched`), all that this model has."""
    subject = dataclasses.replace(subject, trust=trust_in(data_dir))
    return given(subject, data_dir) if vouched else subject


def require(subject: Subject, data_dir: Path, *, vouched: bool) -> Subject:
    """The rules of trust, before the model is loaded: the subject with what is trusted.

    ChecksFailed where loading would run what is not trusted.
    """
    subject = trusting(subject, data_dir, vouched=vouched)
    checks.Report.of({id: checks.RULES[id].apply(subject) for id in QUESTIONS}).raise_on_errors()
    return subject


def given(subject: Subject, data_dir: Path) -> Subject:
    """The user said `--trust`: what loading would run is trusted from now on, by the content of each file."""
    trust = subject.trust or Trust()
    files = [file for one in QUESTIONS.values() for file in one.files(subject) if not trust.has_file(file)]
    found = {digest(file): file for file in files}
    remember(data_dir, found)
    sizes = {name: file.size for name, file in found.items()}
    return dataclasses.replace(subject, trust=dataclasses.replace(trust, files={**trust.files, **sizes}))


def remember(data_dir: Path, files: Mapping[str, File]) -> None:
    """Trust these contents from now on: sha256 → the file that has it."""
    if not files:
        return
    import filelock

    from aip_magics.targets.state import write_private

    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = data_dir / FILE
    with filelock.FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600):
        written = _read(path)
        kept = {name: one for name, one in written["files"].items() if name not in files}
        kept.update({name: {"name": file.name, "size": file.size} for name, file in files.items()})
        written["files"] = dict(list(kept.items())[-MOST_FILES:])
        write_private(path, json.dumps(written, ensure_ascii=False, indent=1))


def _size(one: object) -> int | None:
    """The size in an entry of `files`; an earlier version wrote the name alone."""
    size = one.get("size") if isinstance(one, dict) else None
    return size if isinstance(size, int) else None


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

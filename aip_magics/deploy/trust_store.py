"""Consent to what a model may run: asked before it is loaded, given with `--trust`, remembered by content."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from aip_magics import checks
from aip_magics.artifacts import File, inspect_model_dir
from aip_magics.checks import CheckContext
from aip_magics.checks.trust import TRUST_QUESTIONS, is_trusted
from aip_magics.spec import Model, Version
from aip_magics.trust import FILE, Trust, digest, trust_in, written_in

LOCK_SECONDS = 10.0
MAX_FILES = 1_000  # remembered; those trusted longest ago are forgotten first


def with_trust(context: CheckContext, data_dir: Path, *, vouched: bool) -> CheckContext:
    """With what the user trusts since before; and where `--trust` was said (`vouched`), all that this model has."""
    context = dataclasses.replace(context, trust=trust_in(data_dir))
    return grant_trust(context, data_dir) if vouched else context


def require(context: CheckContext, data_dir: Path, *, vouched: bool) -> CheckContext:
    """The rules of trust, before the model is loaded: the subject with what is trusted.

    ChecksFailed where loading would run what is not trusted.
    """
    context = with_trust(context, data_dir, vouched=vouched)
    checks.Report.of({id: checks.RULES[id].apply(context) for id in TRUST_QUESTIONS}).raise_on_errors()
    return context


def load_trust(trust: Trust, model_dir: Path, framework: str | None, prediction_class: str | None) -> bool:
    """Whether all that loading a model may run is trusted; for who has no more of a deployment than this."""
    version = Version.from_json({"framework": framework, "predictionClass": prediction_class})
    return is_trusted(CheckContext(Model(), version, inspect_model_dir(model_dir), trust=trust))


def grant_trust(context: CheckContext, data_dir: Path) -> CheckContext:
    """The user said `--trust`: what loading would run is trusted from now on, by the content of each file."""
    trust = context.trust or Trust()
    files = [
        file
        for one in TRUST_QUESTIONS.values()
        for file in one.files(context)
        if not trust.has_file(file.path, file.size)
    ]
    found = {digest(file.path): file for file in files}
    remember(data_dir, found)
    sizes = {name: file.size for name, file in found.items()}
    return dataclasses.replace(context, trust=dataclasses.replace(trust, files={**trust.files, **sizes}))


def names_in(data_dir: Path) -> dict[str, str]:
    """What is trusted: sha256 → the name that the file had."""
    files = written_in(data_dir / FILE)["files"]
    return {sha256: str(one.get("name") if isinstance(one, dict) else one) for sha256, one in files.items()}


def remember(data_dir: Path, files: Mapping[str, File]) -> None:
    """Trust these contents from now on: sha256 → the file that has it."""
    if files:
        _write(data_dir, {name: {"name": file.name, "size": file.size} for name, file in files.items()}, files)


def forget(data_dir: Path, files: Collection[str]) -> None:
    """Trust these contents no longer, by their sha256."""
    if files:
        _write(data_dir, {}, files)


def _write(data_dir: Path, added: Mapping[str, object], removed: Collection[str]) -> None:
    import filelock

    from aip_magics.targets.state import write_private

    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = data_dir / FILE
    with filelock.FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600):
        written = written_in(path)
        kept = {name: one for name, one in written["files"].items() if name not in removed}
        written["files"] = dict(list({**kept, **added}.items())[-MAX_FILES:])
        write_private(path, json.dumps(written, ensure_ascii=False, indent=1))

"""The user's consent to code that a model may run: required before loading, given by `--trust`, stored by content."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from aip_magics import checks
from aip_magics.artifacts import File, inspect_model_dir
from aip_magics.checks import CheckContext
from aip_magics.checks.trust import TRUST_QUESTIONS, is_trusted
from aip_magics.data_directory import create_data_dir
from aip_magics.spec import Model, Version
from aip_magics.trust import FILE, Trust, digest, trust_in, written_in

LOCK_SECONDS = 10.0
MAX_FILES = 1_000  # in the store; the oldest entries are removed first


def with_trust(context: CheckContext, data_dir: Path, *, vouched: bool) -> CheckContext:
    """Add the trust that is stored, and with `--trust` (`vouched`) trust all files of this model too."""
    context = dataclasses.replace(context, trust=trust_in(data_dir))
    return grant_trust(context, data_dir) if vouched else context


def require(context: CheckContext, data_dir: Path, *, vouched: bool) -> CheckContext:
    """Apply the rules of trust before the model is loaded, and return the context with the trusted content.

    ChecksFailed if loading would run code that is not trusted.
    """
    context = with_trust(context, data_dir, vouched=vouched)
    checks.Report.of({id: checks.RULES[id].apply(context) for id in TRUST_QUESTIONS}).raise_on_errors()
    return context


def load_trust(trust: Trust, model_dir: Path, framework: str | None, prediction_class: str | None) -> bool:
    """Whether all code that loading a model may run is trusted; for callers without a deployment."""
    version = Version.from_json({"framework": framework, "predictionClass": prediction_class})
    return is_trusted(CheckContext(Model(), version, inspect_model_dir(model_dir, on_disk=True), trust=trust))


def grant_trust(context: CheckContext, data_dir: Path) -> CheckContext:
    """Store the trust that `--trust` gives: in all files that loading the model may run, by their content."""
    trust = context.trust or Trust()
    files = [
        file
        for question in TRUST_QUESTIONS.values()
        for file in question.files(context)
        if not trust.has_file(file.path, file.size)
    ]
    by_digest = {digest(file.path): file for file in files}
    remember(data_dir, by_digest)
    sizes = {sha256: file.size for sha256, file in by_digest.items()}
    return dataclasses.replace(context, trust=dataclasses.replace(trust, files={**trust.files, **sizes}))


def names_in(data_dir: Path) -> dict[str, str]:
    """Return the trusted files: SHA-256 digest → the name that the file had."""
    files = written_in(data_dir / FILE)["files"]
    return {sha256: str(entry.get("name") if isinstance(entry, dict) else entry) for sha256, entry in files.items()}


def remember(data_dir: Path, files: Mapping[str, File]) -> None:
    """Trust the content of these files from now on. The keys are SHA-256 digests."""
    if files:
        _write(data_dir, {sha256: {"name": file.name, "size": file.size} for sha256, file in files.items()}, files)


def forget(data_dir: Path, files: Collection[str]) -> None:
    """No longer trust the files with these SHA-256 digests."""
    if files:
        _write(data_dir, {}, files)


def _write(data_dir: Path, added: Mapping[str, object], removed: Collection[str]) -> None:
    import filelock

    from aip_magics.targets.state import write_private

    path = create_data_dir(data_dir) / FILE
    with filelock.FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600):
        written = written_in(path)
        kept = {sha256: entry for sha256, entry in written["files"].items() if sha256 not in removed}
        written["files"] = dict(list({**kept, **added}.items())[-MAX_FILES:])
        write_private(path, json.dumps(written, ensure_ascii=False, indent=1))

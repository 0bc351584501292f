"""How both faces run a command: what changes something is written into the journal, with how it ended.

Names that the service told are kept for completion.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.common import name_cache
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import AipError, Interrupted, OperationFailed

TARGET_OPTIONS = ("target", "project", "region", "endpoint", "storage_endpoint")


def execute(command: Command, args: argparse.Namespace, body: str | None, context: Context) -> Any:
    """Run the command and return its value; its AipError is written down and goes on."""
    asked_only = getattr(args, "show", None) or getattr(args, "dry_run", False)
    journal = context.journal if command.changes and not asked_only else None
    before = journal.added if journal else 0
    try:
        value = command.run(args, body, context)
    except AipError as error:
        # How an operation ended stands in its own entry already.
        told = isinstance(error, (OperationFailed, Interrupted)) and journal is not None and journal.added > before
        if journal is not None and not told:
            outcome = "cancelled" if isinstance(error, Interrupted) else "failed"
            journal.add(command.name, outcome, what=_asked(args), error=type(error).__name__)
        raise
    if journal is not None and journal.added == before:
        journal.add(command.name, "done", what=str(getattr(value, "name", None) or _asked(args)))
    if not asked_only:
        name_cache.record_names(command.name, args, value, context)
    return value


def given_target_options(args: argparse.Namespace) -> dict[str, str]:
    """The settings that this line gives as arguments: the next run's `last_run`; empty where it gives none."""
    return {name: value for name in TARGET_OPTIONS if (value := getattr(args, name, None))}


def get_target_options(args: argparse.Namespace, context: Context) -> dict[str, str]:
    """The settings that find the target of this line again, without what an address may say of a password."""
    settings = context.settings(args)
    found = {name: getattr(settings, name) for name in TARGET_OPTIONS}
    place = {name: re.sub(r"//[^/@]*@", "//", setting.value) for name, setting in found.items() if setting}
    return {"region": "global", **place}


def _asked(args: argparse.Namespace) -> str:
    named: Mapping[str, Any] = vars(args)
    parts = [named.get("model"), named.get("version") or named.get("operation")]
    return "/".join(str(part) for part in parts if part) or str(named.get("uri") or "")

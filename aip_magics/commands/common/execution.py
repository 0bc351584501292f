"""Run a command for the magics and the command line, and record changes in the history.

Names in the result are cached for Tab completion.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.common import name_cache
from aip_magics.commands.common.command import Command, Context
from aip_magics.directory_use import keep_entries
from aip_magics.errors import AipError, Interrupted, OperationFailed

TARGET_OPTIONS = ("target", "project", "region", "endpoint", "storage_endpoint")


def execute(command: Command, args: argparse.Namespace, body: str | None, context: Context) -> Any:
    """Run the command and return its value (→ `commands/<verb>.py: run`). Its AipError is recorded and re-raised.

    An OSError that the command did not explain becomes an AipError with the path and the reason.
    """
    preview_only = getattr(args, "show", None) or getattr(args, "dry_run", False)
    is_change = command.changes and command.is_change(args)
    history = context.history if is_change and not preview_only else None
    added_before = history.added if history else 0
    try:
        value = _run(command, args, body, context)
    except AipError as error:
        # The end of an operation is already in the operation's own entry.
        ended = isinstance(error, (OperationFailed, Interrupted))
        recorded = ended and history is not None and history.added > added_before
        if history is not None and not recorded:
            outcome = "cancelled" if isinstance(error, Interrupted) else "failed"
            history.add(command.name, outcome, what=_subject(args), error=type(error).__name__)
        raise
    if history is not None and history.added == added_before:
        history.add(command.name, "done", what=str(getattr(value, "name", None) or _subject(args)))
    if not preview_only:
        name_cache.record_names(command.name, args, value, context)
    return value


def _run(command: Command, args: argparse.Namespace, body: str | None, context: Context) -> Any:
    try:
        with keep_entries():
            return command.run(args, body, context)  # the verb's own function, see `verbs.VERBS` for its file
    except BrokenPipeError:  # the reader of the output closed the pipe
        raise
    except OSError as error:
        from aip_magics.data_directory import file_error

        raise file_error(error, context.data_dir()) from error


def given_target_options(args: argparse.Namespace) -> dict[str, str]:
    """Return the settings that the line gives as options: the `last_run` of the next run."""
    return {name: value for name in TARGET_OPTIONS if (value := getattr(args, name, None))}


def get_target_options(args: argparse.Namespace, context: Context) -> dict[str, str]:
    """Return the settings that find the target of this line again, without passwords in URLs."""
    settings = context.settings(args)
    sourced = {name: getattr(settings, name) for name in TARGET_OPTIONS}
    values = {name: re.sub(r"//[^/@]*@", "//", setting.value) for name, setting in sourced.items() if setting}
    return {"region": "global", **values}


def _subject(args: argparse.Namespace) -> str:
    """What the line is about, for the history: `MODEL/VERSION`, an operation or a gs:// URI."""
    options: Mapping[str, Any] = vars(args)
    names = [options.get("model"), options.get("version") or options.get("operation")]
    return "/".join(str(name) for name in names if name) or str(
        options.get("uri") or " ".join(options.get("uris") or ())
    )

"""Commands as a user types them, with a face that keeps what it is shown."""

from __future__ import annotations

import dataclasses
import datetime
import shlex
from pathlib import Path
from typing import Any

from recording_reporter import RecordingReporter

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.execution import execute
from aip_magics.commands.common.history_log import HistoryLog
from aip_magics.commands.registry import build_parser, get_command

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)


class Lines:
    """Runs lines (`describe v1 --model iris`) in one session, with a journal in `home`."""

    def __init__(self, home: Path, **context: Any) -> None:
        self.journal = HistoryLog(home, "notebook.ipynb", lambda: NOON)
        self.face = RecordingReporter()
        self.context = Context(self.face, history=self.journal, **context)

    def __call__(self, line: str, body: str | None = None, **context: Any) -> Any:
        verb, *words = shlex.split(line)
        command = get_command(verb)
        args = build_parser(command, verb).parse(words)
        return execute(command, args, body, dataclasses.replace(self.context, **context))

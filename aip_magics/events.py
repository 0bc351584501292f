"""Events of a run, as values. Core code emits events; reporters (terminal, notebook, JSON) show them.

Events have no timestamp: core code never reads the clock, a reporter adds the time when an event arrives.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from aip_magics.errors import AipError

Unit = Literal["bytes", "files", "objects", "instances"]


@dataclasses.dataclass(frozen=True)
class Event:
    """Base class. `step` is the id of the step (`look`, `checks`, `bucket`, `upload`, `try`, `model`, `version`, …)."""

    step: str


@dataclasses.dataclass(frozen=True)
class StepStarted(Event):
    """A step started. A step that is retried starts again."""

    title: str


@dataclasses.dataclass(frozen=True)
class Progress(Event):
    """`done` of `total` in `unit`; `total` 0 means unknown. `note` names the current item."""

    done: int
    total: int
    unit: Unit
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Note(Event):
    """A message during a step: a changed state, a choice and its source, a log line."""

    text: str
    level: Literal["info", "warning"] = "info"


@dataclasses.dataclass(frozen=True)
class Heartbeat(Event):
    """The step is still running: a reporter may update the elapsed time."""


@dataclasses.dataclass(frozen=True)
class StepFinished(Event):
    """The step succeeded; `summary` is one short line, `value` the result (Findings, Model, Version, predictions …)."""

    summary: str
    value: Any = None


@dataclasses.dataclass(frozen=True)
class StepSkipped(Event):
    """The step was skipped, for this reason."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Failed(Event):
    """The step failed; the run ends here."""

    error: AipError


@dataclasses.dataclass(frozen=True)
class Detached(Event):
    """The wait was interrupted; the operation is still running. `reattach` is the line that waits for the operation."""

    operation: str
    reattach: str

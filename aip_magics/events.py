"""What happens while a plan runs, as values. Code emits events; faces (terminal, notebook, JSON) draw them.

Events carry no time of their own: core code never reads the clock, a face stamps them when they arrive.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from aip_magics.errors import AipError

Unit = Literal["bytes", "files", "instances"]


@dataclasses.dataclass(frozen=True)
class Event:
    """Base. `step` is the id of the step (`look`, `checks`, `bucket`, `upload`, `try`, `model`, `version`, …)."""

    step: str


@dataclasses.dataclass(frozen=True)
class StepStarted(Event):
    title: str


@dataclasses.dataclass(frozen=True)
class Progress(Event):
    """`done` of `total` in `unit`; `total` 0 means unknown. `note` says what is being worked on."""

    done: int
    total: int
    unit: Unit
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Note(Event):
    """Something worth knowing while the step goes on: a state that changed, a choice and its source, a log line."""

    text: str
    level: Literal["info", "warning"] = "info"


@dataclasses.dataclass(frozen=True)
class Heartbeat(Event):
    """Nothing new, but the step goes on: a face may show the time that has passed."""


@dataclasses.dataclass(frozen=True)
class StepFinished(Event):
    """The step worked; `summary` is one short line, `value` what it made (Findings, Model, Version, predictions …)."""

    summary: str
    value: Any = None


@dataclasses.dataclass(frozen=True)
class StepSkipped(Event):
    """The step was not done, and why."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Failed(Event):
    """The step failed; the run ends here."""

    error: AipError


@dataclasses.dataclass(frozen=True)
class Detached(Event):
    """The wait was interrupted; the operation goes on. `reattach` is the line that waits for it again."""

    operation: str
    reattach: str

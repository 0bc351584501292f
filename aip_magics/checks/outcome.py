"""What a rule can find: findings by severity, nothing, or a reason why it could not decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal, TypeAlias

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing. `subject` is a dotted field (`version.framework`) or a file name."""

    id: str
    severity: Severity
    subject: str
    message: str
    fix: str
    link: str


@dataclasses.dataclass(frozen=True)
class Passed:
    """The rule looked and found nothing."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """The rule found something, of any severity."""

    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """The rule could not decide."""

    reason: str


Outcome: TypeAlias = "Passed | Failed | Skipped"
Outcomes: TypeAlias = "Iterable[Finding] | Skipped"  # what a rule returns; `Rule.apply` makes an Outcome of it

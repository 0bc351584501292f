"""Outcomes of a rule: findings by severity, nothing found, or the reason why the rule could not decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import ClassVar, Literal, TypeAlias

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One problem, or one thing worth knowing.

    Attributes:
        id: Id of the rule, `A02`.
        severity: How bad the problem is; errors stop a deployment.
        subject: A dotted field (`version.framework`) or a file name.
        message: What is wrong.
        fix: How to fix it.
        link: Where the rule is documented.
        name: Name of the rule, `library-too-new`.
    """

    panel_kind: ClassVar[str] = "finding"
    id: str
    severity: Severity
    subject: str
    message: str
    fix: str
    link: str
    name: str = ""

    @property
    def label(self) -> str:
        """Id and name of the rule, as in `A02 library-too-new`."""
        return f"{self.id} {self.name}".rstrip()


@dataclasses.dataclass(frozen=True)
class Passed:
    """The rule found nothing."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """The rule found something, of any severity."""

    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """The rule could not decide, or was skipped by the user."""

    reason: str


Outcome: TypeAlias = "Passed | Failed | Skipped"
Outcomes: TypeAlias = "Iterable[Finding] | Skipped"  # what a rule returns; `Rule.apply` turns it into an Outcome

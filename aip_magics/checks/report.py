"""What all rules together found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aip_magics.checks.outcome import SEVERITIES, Failed, Finding, Outcome, Passed, Skipped
from aip_magics.errors import ChecksFailed
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings, errors first; ids of the rules that could not decide, with the reason; ids of those that passed.

    `strict`: warnings count as errors.
    """

    findings: tuple[Finding, ...]
    skipped: Mapping[str, Skipped]
    passed: tuple[str, ...]
    strict: bool = False

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome], *, strict: bool = False) -> Report:
        """The report of these outcomes by rule id."""
        found = [one for outcome in outcomes.values() if isinstance(outcome, Failed) for one in outcome.findings]
        return cls(
            findings=_by_severity(found),
            skipped={id: outcome for id, outcome in outcomes.items() if isinstance(outcome, Skipped)},
            passed=tuple(id for id, outcome in outcomes.items() if isinstance(outcome, Passed)),
            strict=strict,
        )

    def updated(self, later: Report) -> Report:
        """This report with what a later one says of the rules it has an outcome for."""
        decided = {*later.skipped, *later.passed, *(one.id for one in later.findings)}
        return dataclasses.replace(
            self,
            findings=_by_severity([*(one for one in self.findings if one.id not in decided), *later.findings]),
            skipped={id: why for id, why in self.skipped.items() if id not in decided} | dict(later.skipped),
            passed=(*(id for id in self.passed if id not in decided), *later.passed),
        )

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a deployment."""
        stopping = ("error", "warning") if self.strict else ("error",)
        return tuple(one for one in self.findings if one.severity in stopping)

    def raise_on_errors(self) -> None:
        """ChecksFailed with all errors at once, where there is one."""
        errors = self.errors
        if len(errors) == 1:
            only = errors[0]
            raise ChecksFailed(f"{only.message} ({only.id})", findings=self.findings, where=only.subject, fix=only.fix)
        if errors:
            lines = [f"{one.id} {one.subject}: {one.message}; {one.fix}" for one in errors]
            head = _("{count} checks failed", count=len(errors))
            raise ChecksFailed("\n".join([head, *lines]), findings=self.findings)

    def to_json(self) -> dict[str, Any]:
        """`findings` and `skipped` as lists of objects, `passed` as a number."""
        return {
            "findings": [dataclasses.asdict(one) for one in self.findings],
            "skipped": [{"id": id, "reason": outcome.reason} for id, outcome in self.skipped.items()],
            "passed": len(self.passed),
        }


def _by_severity(found: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))

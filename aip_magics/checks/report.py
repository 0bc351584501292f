"""What all rules together found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from aip_magics.checks.base import SEVERITIES, Failed, Finding, Outcome, Passed, Skipped
from aip_magics.errors import ChecksFailed


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings, errors first; ids of the rules that could not decide, with the reason; ids of those that passed."""

    findings: tuple[Finding, ...]
    skipped: Mapping[str, Skipped]
    passed: tuple[str, ...]

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome]) -> Report:
        """The report of these outcomes by rule id."""
        found = [one for outcome in outcomes.values() if isinstance(outcome, Failed) for one in outcome.findings]
        return cls(
            findings=tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity))),
            skipped={id: outcome for id, outcome in outcomes.items() if isinstance(outcome, Skipped)},
            passed=tuple(id for id, outcome in outcomes.items() if isinstance(outcome, Passed)),
        )

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity == "error")

    def raise_on_errors(self) -> None:
        """ChecksFailed with all errors at once, where there is one."""
        errors = self.errors
        if len(errors) == 1:
            only = errors[0]
            raise ChecksFailed(f"{only.message} ({only.id})", findings=self.findings, where=only.subject, fix=only.fix)
        if errors:
            lines = [f"  {one.id} {one.subject}: {one.message}; {one.fix}" for one in errors]
            raise ChecksFailed("\n".join([f"{len(errors)} checks failed", *lines]), findings=self.findings)

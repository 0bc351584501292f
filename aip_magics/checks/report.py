"""The report of a preflight: the findings of all rules together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from aip_magics.checks.outcome import SEVERITIES, Failed, Finding, Outcome, Passed, Skipped
from aip_magics.errors import ChecksFailed
from aip_magics.i18n import ngettext


@dataclasses.dataclass(frozen=True)
class Report:
    """Outcome of all rules.

    Attributes:
        findings: All findings, errors first.
        skipped: Ids of the rules that did not decide, each with the reason.
        passed: Ids of the rules that found nothing.
        strict: Whether warnings count as errors.
    """

    panel_kind: ClassVar[str] = "report"
    findings: tuple[Finding, ...]
    skipped: Mapping[str, Skipped]
    passed: tuple[str, ...]
    strict: bool = False

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome], *, strict: bool = False) -> Report:
        """Build the report of these outcomes by rule id."""
        failures = [outcome for outcome in outcomes.values() if isinstance(outcome, Failed)]
        return cls(
            findings=_sorted_by_severity([finding for failed in failures for finding in failed.findings]),
            skipped={id: outcome for id, outcome in outcomes.items() if isinstance(outcome, Skipped)},
            passed=tuple(id for id, outcome in outcomes.items() if isinstance(outcome, Passed)),
            strict=strict,
        )

    def updated(self, later: Report) -> Report:
        """Return this report, with the outcomes of `later` in place of its own for the rules that `later` has."""
        replaced = {*later.skipped, *later.passed, *(finding.id for finding in later.findings)}
        kept = [finding for finding in self.findings if finding.id not in replaced]
        return dataclasses.replace(
            self,
            findings=_sorted_by_severity([*kept, *later.findings]),
            skipped={id: outcome for id, outcome in self.skipped.items() if id not in replaced} | dict(later.skipped),
            passed=(*(id for id in self.passed if id not in replaced), *later.passed),
        )

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a deployment."""
        stopping = ("error", "warning") if self.strict else ("error",)
        return tuple(finding for finding in self.findings if finding.severity in stopping)

    def raise_on_errors(self) -> None:
        """Raise one exception with all errors, if there are any.

        Raises:
            ChecksFailed: At least one finding is an error.
        """
        errors = self.errors
        if len(errors) == 1:
            [only] = errors
            text = f"{only.message} ({only.label})"
            raise ChecksFailed(text, findings=self.findings, where=only.subject, fix=only.fix)
        if errors:
            lines = [
                f"{finding.label} {finding.subject}: {finding.message}" + (f"; {finding.fix}" if finding.fix else "")
                for finding in errors
            ]
            head = ngettext("{number} check failed", "{number} checks failed", len(errors))
            raise ChecksFailed("\n".join([head, *lines]), findings=self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return `findings` and `skipped` as lists of objects, `passed` as a number."""
        return {
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "skipped": [{"id": id, "reason": outcome.reason} for id, outcome in self.skipped.items()],
            "passed": len(self.passed),
        }


def _sorted_by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))

"""Findings of the checks, by severity, each with its fix ready to copy."""

from __future__ import annotations

from collections.abc import Sequence

from aip_magics.render import words
from aip_magics.render.blocks import Block, Link, Mark, Panel, Row, Table, Tone, code, line, muted, row
from aip_magics.render.shapes import Finding, Report

SEVERITIES: dict[str, Tone] = {"error": "bad", "warning": "warn", "advice": "idle"}


def report(value: Report) -> Panel:
    """The panel of a preflight: the findings, then what was skipped and what passed."""
    skipped: tuple[Block, ...] = ()
    if value.skipped:
        rows = tuple(row(id, outcome.reason) for id, outcome in value.skipped.items())
        skipped = (Table(f"{words.plural(len(rows), 'check')} skipped", ("Check", "Reason"), rows),)
    passed = line(Mark("good" if value.passed else "idle", f"{words.plural(len(value.passed), 'check')} passed"))
    return Panel("checks", _worst(value.findings), (*finding_blocks(value.findings), *skipped, passed))


def findings(values: Sequence[Finding]) -> Panel:
    """The panel of findings alone."""
    return Panel("findings", _worst(values), finding_blocks(values))


def finding_blocks(values: Sequence[Finding]) -> tuple[Block, ...]:
    """A table per severity, the worst first; a severity that is not known comes last."""
    groups: dict[str, list[Finding]] = {severity: [] for severity in SEVERITIES}
    for finding in values:
        groups.setdefault(finding.severity, []).append(finding)
    return tuple(block for severity, group in groups.items() if group for block in _group(severity, group))


def _group(severity: str, group: Sequence[Finding]) -> tuple[Block, ...]:
    count = f"{len(group):,} advice" if severity == "advice" else words.plural(len(group), severity)
    rows = tuple(_row(finding) for finding in group)
    return line(Mark(SEVERITIES.get(severity, "idle"), count)), Table("", ("Subject", "Finding", "Check"), rows)


def _row(finding: Finding) -> Row:
    check = Link(finding.id, finding.link) if finding.link else muted(finding.id)
    return row(finding.subject, finding.message, check, below=(line("fix:", code(finding.fix)),) if finding.fix else ())


def _worst(values: Sequence[Finding]) -> Tone:
    found = {finding.severity for finding in values}
    return next((tone for severity, tone in SEVERITIES.items() if severity in found), "good")

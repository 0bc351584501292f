"""Findings of the checks, by severity, each with its fix ready to copy."""

from __future__ import annotations

from collections.abc import Sequence

from aip_magics.render import words
from aip_magics.render.blocks import Block, Line, Link, Mark, Panel, Tone, code, line, muted, strong
from aip_magics.render.shapes import Finding, Report

SEVERITIES: dict[str, Tone] = {"error": "bad", "warning": "warn", "advice": "idle"}


def report(value: Report) -> Panel:
    """The panel of a preflight: the findings, then what was skipped and what passed."""
    passed = line(Mark("good" if value.passed else "idle", f"{words.plural(len(value.passed), 'check')} passed"))
    blocks = (*finding_blocks(value.findings), *_skipped(value), passed)
    return Panel("checks", _worst(value.findings), blocks)


def findings(values: Sequence[Finding]) -> Panel:
    """The panel of findings alone."""
    return Panel("findings", _worst(values), finding_blocks(values))


def finding_blocks(values: Sequence[Finding]) -> tuple[Block, ...]:
    """The findings of each severity under their number, the worst first; a severity that is not known comes last."""
    groups: dict[str, list[Finding]] = {severity: [] for severity in SEVERITIES}
    for finding in values:
        groups.setdefault(finding.severity, []).append(finding)
    return tuple(each for severity, group in groups.items() if group for each in _group(severity, group))


def _group(severity: str, group: Sequence[Finding]) -> tuple[Line, ...]:
    count = f"{len(group):,} advice" if severity == "advice" else words.plural(len(group), severity)
    head = line(Mark(SEVERITIES.get(severity, "idle"), count))
    return (head, *(each for finding in group for each in _lines(finding)))


def _lines(finding: Finding) -> tuple[Line, ...]:
    # Lines, not a table: messages are sentences, and the styles of table cells would eat the room of the panel.
    check = Link(finding.id, finding.link) if finding.link else muted(finding.id)
    what = line(strong(f"{finding.subject}:") if finding.subject else "", finding.message, check)
    return (what, line("fix:", code(finding.fix))) if finding.fix else (what,)


def _skipped(value: Report) -> tuple[Line, ...]:
    """A line per reason: many rules are skipped for the same one."""
    by_reason: dict[str, list[str]] = {}
    for id, outcome in value.skipped.items():
        by_reason.setdefault(outcome.reason, []).append(id)
    return tuple(
        line(Mark("idle", f"{words.plural(len(ids), 'check')} skipped,"), f"{reason}:", muted(", ".join(ids)))
        for reason, ids in by_reason.items()
    )


def _worst(values: Sequence[Finding]) -> Tone:
    found = {finding.severity for finding in values}
    return next((tone for severity, tone in SEVERITIES.items() if severity in found), "good")

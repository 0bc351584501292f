"""Panels of the findings of checks, by severity, each with its fix ready to copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.printable import one_line
from aip_magics.render.blocks import Block, Code, Details, Link, Mark, Panel, Tone, code, line, muted, strong

if TYPE_CHECKING:
    from aip_magics.checks.outcome import Finding
    from aip_magics.checks.report import Report

SEVERITIES: dict[str, Tone] = {"error": "bad", "warning": "warn", "advice": "idle"}


def report(value: Report) -> Panel:
    """Build the panel of a report: the findings, the number of passed checks, and the skipped checks with reasons."""
    passed = line(Mark("good" if value.passed else "idle", _passed(len(value.passed))))
    blocks = (*finding_blocks(value.findings), passed, *_skipped(value))
    return Panel(_("checks"), _worst(value.findings), blocks)


def findings(values: Sequence[Finding]) -> Panel:
    """Build the panel of findings."""
    return Panel(_("findings"), _worst(values), finding_blocks(values))


def finding_blocks(values: Sequence[Finding]) -> tuple[Block, ...]:
    """Build the blocks of findings: grouped by severity below their number, most severe first, unknown ones last."""
    groups: dict[str, list[Finding]] = {severity: [] for severity in SEVERITIES}
    for finding in values:
        groups.setdefault(finding.severity, []).append(finding)
    return tuple(each for severity, group in groups.items() if group for each in _group(severity, group))


def _group(severity: str, group: Sequence[Finding]) -> tuple[Block, ...]:
    head = line(Mark(SEVERITIES.get(severity, "idle"), _counted(severity, len(group))))
    return (head, *(each for finding in group for each in _lines(finding)))


def _lines(finding: Finding) -> tuple[Block, ...]:
    # Lines, not a table: messages are sentences, and styles of table cells would fill the panel.
    check = Link(finding.label, finding.link) if finding.link else muted(finding.label)
    what = line(strong(f"{finding.subject}:") if finding.subject else "", finding.message, check)
    if "\n" in finding.fix.strip():  # lines to paste keep their line ends
        return (what, line(_("fix:")), Code(finding.fix.strip("\n")))
    return (what, line(_("fix:"), code(finding.fix))) if finding.fix else (what,)


def _skipped(value: Report) -> tuple[Block, ...]:
    """Build one line per reason: many rules are skipped for the same reason."""
    from aip_magics.checks import rule_label  # in use already where there is a report

    by_reason: dict[str, list[str]] = {}
    for id, outcome in value.skipped.items():
        by_reason.setdefault(outcome.reason, []).append(rule_label(id))
    if not by_reason:
        return ()
    head = ngettext("{number} check skipped", "{number} checks skipped", len(value.skipped))
    reasons = [one_line(f"{reason}: {', '.join(ids)}") for reason, ids in by_reason.items()]
    return (Details(head, Code("\n".join(reasons))),)


def _passed(count: int) -> str:
    return ngettext("{number} check passed", "{number} checks passed", count)


def _counted(severity: str, count: int) -> str:
    if severity == "error":
        return ngettext("{number} error", "{number} errors", count)
    if severity == "warning":
        return ngettext("{number} warning", "{number} warnings", count)
    return _("{count} advice", count=count) if severity == "advice" else f"{count} {severity}"


def _worst(values: Sequence[Finding]) -> Tone:
    found = {finding.severity for finding in values}
    return next((tone for severity, tone in SEVERITIES.items() if severity in found), "good")

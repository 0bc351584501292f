"""Findings of the checks, by severity, each with its fix ready to copy."""

from __future__ import annotations

from collections.abc import Sequence

from aip_magics.i18n import gettext as _
from aip_magics.printable import one_line
from aip_magics.render.blocks import Block, Code, Details, Link, Mark, Panel, Tone, code, line, muted, strong
from aip_magics.render.shapes import Finding, Report

SEVERITIES: dict[str, Tone] = {"error": "bad", "warning": "warn", "advice": "idle"}


def report(value: Report) -> Panel:
    """The panel of a preflight: the findings, what passed, and on demand what was skipped and why."""
    passed = line(Mark("good" if value.passed else "idle", _passed(len(value.passed))))
    blocks = (*finding_blocks(value.findings), passed, *_skipped(value))
    return Panel(_("checks"), _worst(value.findings), blocks)


def findings(values: Sequence[Finding]) -> Panel:
    """The panel of findings alone."""
    return Panel(_("findings"), _worst(values), finding_blocks(values))


def finding_blocks(values: Sequence[Finding]) -> tuple[Block, ...]:
    """The findings of each severity under their number, the worst first; a severity that is not known comes last."""
    groups: dict[str, list[Finding]] = {severity: [] for severity in SEVERITIES}
    for finding in values:
        groups.setdefault(finding.severity, []).append(finding)
    return tuple(each for severity, group in groups.items() if group for each in _group(severity, group))


def _group(severity: str, group: Sequence[Finding]) -> tuple[Block, ...]:
    head = line(Mark(SEVERITIES.get(severity, "idle"), _counted(severity, len(group))))
    return (head, *(each for finding in group for each in _lines(finding)))


def _lines(finding: Finding) -> tuple[Block, ...]:
    # Lines, not a table: messages are sentences, and the styles of table cells would eat the room of the panel.
    check = Link(finding.id, finding.link) if finding.link else muted(finding.id)
    what = line(strong(f"{finding.subject}:") if finding.subject else "", finding.message, check)
    if "\n" in finding.fix.strip():  # lines to paste stay lines
        return (what, line(_("fix:")), Code(finding.fix.strip("\n")))
    return (what, line(_("fix:"), code(finding.fix))) if finding.fix else (what,)


def _skipped(value: Report) -> tuple[Block, ...]:
    """A line per reason: many rules are skipped for the same one."""
    by_reason: dict[str, list[str]] = {}
    for id, outcome in value.skipped.items():
        by_reason.setdefault(outcome.reason, []).append(id)
    if not by_reason:
        return ()
    count = len(value.skipped)
    head = _("1 check skipped") if count == 1 else _("{count} checks skipped", count=count)
    reasons = [one_line(f"{reason}: {', '.join(ids)}") for reason, ids in by_reason.items()]
    return (Details(head, Code("\n".join(reasons))),)


def _passed(count: int) -> str:
    return _("1 check passed") if count == 1 else _("{count} checks passed", count=count)


def _counted(severity: str, count: int) -> str:
    if severity == "error":
        return _("1 error") if count == 1 else _("{count} errors", count=count)
    if severity == "warning":
        return _("1 warning") if count == 1 else _("{count} warnings", count=count)
    return _("{count} advice", count=count) if severity == "advice" else f"{count} {severity}"


def _worst(values: Sequence[Finding]) -> Tone:
    found = {finding.severity for finding in values}
    return next((tone for severity, tone in SEVERITIES.items() if severity in found), "good")

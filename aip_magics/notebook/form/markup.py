"""HTML of the form next to its controls: sources, problems, previews. Every value is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.field_conversion import FieldProblem
from aip_magics.printable import one_line
from aip_magics.render.blocks import SIGNS
from aip_magics.render.elements import Html, clip, el, join
from aip_magics.render.html import COLORS, MUTED
from aip_magics.render.panels.findings import SEVERITIES

MAX_PROBLEMS = 600  # bytes of one text
MAX_PREVIEW = 20_000
PREVIEW = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.3"


def heading(text: str) -> Html:
    """Build the heading of a section."""
    return el("h4", text, style="margin:.6em 0 .1em")


def note(text: str) -> Html:
    """Build a remark in a subdued color."""
    return el("span", clip(text, MAX_PROBLEMS), style=MUTED) if text else Html("")


def busy(text: str) -> Html:
    """Build the note of a running action; screen readers announce it."""
    return el("span", el("progress", aria_label=text, style="width:4em"), " ", clip(text, MAX_PROBLEMS), role="status")


def field_note(source: str, problems: Sequence[FieldProblem]) -> Html:
    """Build the note of a field: its problems, each with its fix, and without errors also the source of its value."""
    shown = [_problem(each) for each in problems]
    if source and not any(each.severity == "error" for each in problems):
        shown.insert(0, note(source))
    return join(*shown)


def error(found: AipError) -> Html:
    """Build the note of an error that replaces a result."""
    return _problem(FieldProblem("", "error", found.message, found.fix))


def preview(text: str) -> Html:
    """Build the code of a preview."""
    return el("pre", clip(text, MAX_PREVIEW), style=PREVIEW)


def _problem(found: FieldProblem) -> Html:
    tone = SEVERITIES[found.severity]
    sign = el("span", SIGNS[tone], aria_hidden="true", style=f"color:{COLORS[tone]}")
    name = {"error": _("Error"), "warning": _("Warning"), "advice": _("Advice")}[found.severity]
    fix = [el("span", " → ", el("code", clip(one_line(found.fix), MAX_PROBLEMS)))] if found.fix else []
    # Only errors, which prevent the deployment, interrupt a screen reader.
    role = "alert" if found.severity == "error" else None
    text = clip(one_line(found.message), MAX_PROBLEMS)
    return el("div", sign, " ", el("b", name, ":"), " ", text, *fix, role=role)

"""What is left of a form when it is over: plain HTML with what was asked for, no widget."""

from __future__ import annotations

from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.cell_text import cell
from aip_magics.notebook.form.fields import Field, fields, get_label
from aip_magics.notebook.form.state import FormState
from aip_magics.render.blocks import Block, Code, Details, Panel, Table, line, muted, row, strong


def deployed(state: FormState) -> Panel:
    """The summary of what is deployed: each field with its source, and the cell that does the same.

    The test instances are not in it: they may be somebody's data, and are no part of what is made.
    """
    rows = [
        row(field.label, _shown(field, value), muted(state.source(field.id)))
        for field in fields()
        if field.id != "test" and (value := state.values.get(field.id))
    ]
    table = Table("", (_("Field"), _("Value"), _("Source")), tuple(rows))
    same = Details(_("The same as a cell"), Code(cell(state, test=False)))
    blocks: tuple[Block, ...] = (line(strong(_("Deployed from a form"))), table, same)
    return Panel(_("form"), "idle", blocks)


def cancelled() -> Panel:
    """The summary of a form that was closed: nothing that was typed is in it."""
    return Panel(_("form"), "idle", (line(_("The form was closed: nothing was sent.")),))


def _shown(field: Field, value: str | bool) -> str:
    if field.kind == "choice":
        return get_label(field.id, str(value))
    return _("yes") if value is True else str(value)

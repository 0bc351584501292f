"""Static summary that replaces the widgets of a closed form."""

from __future__ import annotations

from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.cell_text import build_cell
from aip_magics.notebook.form.fields import Field, fields, get_label
from aip_magics.notebook.form.state import FormState
from aip_magics.render.blocks import Block, Code, Details, Panel, Table, line, muted, row, strong


def deployed(state: FormState) -> Panel:
    """Build the summary of a deployment: each field with its source, and the equivalent cell.

    The summary omits the test instances: they may be private data and are not part of the deployment.
    """
    rows = [
        row(field.label, _shown(field, value), muted(state.source(field.id)))
        for field in fields()
        if field.id != "test" and (value := state.values.get(field.id))
    ]
    table = Table("", (_("Field"), _("Value"), _("Source")), tuple(rows))
    same = Details(_("Equivalent cell"), Code(build_cell(state, test=False)))
    blocks: tuple[Block, ...] = (line(strong(_("Deployed from a form"))), table, same)
    return Panel(_("form"), "idle", blocks)


def cancelled() -> Panel:
    """Build the summary of a canceled form, without any input of the user."""
    return Panel(_("form"), "idle", (line(_("The form was closed; nothing was sent.")),))


def _shown(field: Field, value: str | bool) -> str:
    if field.kind == "choice":
        return get_label(field.id, str(value))
    return _("yes") if value is True else str(value)

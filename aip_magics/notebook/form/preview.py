"""The live previews: what the form would do, as a cell, as gcloud, as curl, as Python."""

from __future__ import annotations

from typing import Literal, TypeAlias

from aip_magics.deploy.plan import resolve_version_name
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.cell_text import cell
from aip_magics.notebook.form.state import FormState

Kind: TypeAlias = Literal["cell", "gcloud", "curl", "python"]


def kinds() -> list[tuple[str, Kind]]:
    """Label and name of each kind of preview."""
    return [(_("a cell"), "cell"), ("gcloud", "gcloud"), ("curl", "curl"), ("Python", "python")]


def preview(kind: Kind, state: FormState) -> str:
    """The form as text of this kind. What cannot be told yet is told so, in one line."""
    if not state.deployment.origin:
        return _("# name the model's directory first")
    if kind == "cell":
        return cell(state)
    from aip_magics.commands.show import deployment_calls, render_script

    plan, target = state.plan, state.target
    try:
        named = resolve_version_name(plan, target, plan.version.name or "v1", "")
        return render_script(kind, deployment_calls(named, target, state.deployment.test), target)
    except AipError as error:
        return f"# {error.message}"

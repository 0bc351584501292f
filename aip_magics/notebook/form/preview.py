"""Live previews of the deployment as a cell, gcloud, curl or Python."""

from __future__ import annotations

from typing import Literal, TypeAlias

from aip_magics.deploy.resolve import resolve_deployment_uri
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.cell_text import build_cell
from aip_magics.notebook.form.state import FormState

Kind: TypeAlias = Literal["cell", "gcloud", "curl", "python"]


def kinds() -> list[tuple[str, Kind]]:
    """Label and name of each kind of preview."""
    return [(_("cell"), "cell"), ("gcloud", "gcloud"), ("curl", "curl"), ("Python", "python")]


def preview(kind: Kind, state: FormState) -> str:
    """Render the form as text of this kind; a comment line explains a missing preview."""
    if not state.deployment.origin:
        return _("# enter the model directory first")
    if kind == "cell":
        return build_cell(state)
    from aip_magics.commands.show import deployment_calls, render_script

    plan, target = state.plan, state.target
    try:
        named = resolve_deployment_uri(plan, target, plan.version.name or "v1", "")
        return render_script(kind, deployment_calls(named, target, state.deployment.test), target)
    except AipError as error:
        return f"# {error.message}"

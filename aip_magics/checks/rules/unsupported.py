"""What is not served yet. Each rule goes when its feature comes."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _


@rule("P03", link=links.DEPLOYING)
def container(context: CheckContext) -> Outcomes:
    """Containers are not served yet."""
    if context.version.container is None:
        return []
    return [
        error("version.container", _("containers are not supported yet"), _("deploy the model's files with --origin"))
    ]


@rule("P04", link=links.MACHINE_TYPES)
def accelerator_here(context: CheckContext) -> Outcomes:
    """The embedded server has no accelerators."""
    if context.version.acceleratorConfig is None or context.target.is_cloud:
        return []
    text = _("the embedded server has no accelerators")
    return [error("version.acceleratorConfig", text, _("leave it out: the model is served on the processor"))]


@rule("P05", link=links.API)
def explanation_here(context: CheckContext) -> Outcomes:
    """The embedded server has no explanations."""
    if context.version.explanationConfig is None or context.target.is_cloud:
        return []
    return [error("version.explanationConfig", _("the embedded server has no explanations"), _("leave it out"))]

"""Rules about features that cannot be served yet. Remove a rule when its feature is supported."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _


@rule("P03", "unsupported-container", link=links.DEPLOYING)
def unsupported_container(context: CheckContext) -> Outcomes:
    """Containers are not supported yet."""
    if context.version.container is None:
        return []
    return [
        error("version.container", _("containers are not supported yet"), _("deploy the model's files with --origin"))
    ]


@rule("P04", "unsupported-accelerator", link=links.MACHINE_TYPES)
def unsupported_accelerator(context: CheckContext) -> Outcomes:
    """The embedded server does not support accelerators."""
    if context.version.acceleratorConfig is None or context.target.is_cloud:
        return []
    text = _("the embedded server does not support accelerators")
    return [error("version.acceleratorConfig", text, _("omit acceleratorConfig: the model is served on the CPU"))]


@rule("P05", "unsupported-explanations", link=links.API)
def unsupported_explanations(context: CheckContext) -> Outcomes:
    """The embedded server does not support explanations."""
    if context.version.explanationConfig is None or context.target.is_cloud:
        return []
    return [
        error(
            "version.explanationConfig",
            _("the embedded server does not support explanations"),
            _("omit {field}", field="explanationConfig"),
        )
    ]

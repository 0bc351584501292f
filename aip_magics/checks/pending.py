"""What is not served yet. Each rule goes when its feature comes."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule
from aip_magics.i18n import gettext as _


@rule("P03", link=links.DEPLOYING)
def container(subject: Subject) -> Outcomes:
    """Containers are not served yet."""
    if subject.version.container is None:
        return []
    return [
        error("version.container", _("containers are not supported yet"), _("deploy the model's files with --origin"))
    ]


@rule("P04", link=links.MACHINE_TYPES)
def accelerator_here(subject: Subject) -> Outcomes:
    """The embedded server has no accelerators."""
    if subject.version.acceleratorConfig is None or subject.target.is_cloud:
        return []
    text = _("the embedded server has no accelerators")
    return [error("version.acceleratorConfig", text, _("leave it out: the model is served on the processor"))]


@rule("P05", link=links.API)
def explanation_here(subject: Subject) -> Outcomes:
    """The embedded server has no explanations."""
    if subject.version.explanationConfig is None or subject.target.is_cloud:
        return []
    return [error("version.explanationConfig", _("the embedded server has no explanations"), _("leave it out"))]

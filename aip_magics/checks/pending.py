"""What is not served yet. Each rule goes when its feature comes."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule
from aip_magics.language import say


@rule("P03", link=links.DEPLOYING)
def container(subject: Subject) -> Outcomes:
    """Containers are not served yet."""
    if subject.version.container is None:
        return []
    return [
        error(
            "version.container", say("containers are not supported yet"), say("deploy the model's files with --origin")
        )
    ]


@rule("P04", link=links.MACHINE_TYPES)
def accelerator_here(subject: Subject) -> Outcomes:
    """The embedded server has no accelerators."""
    if subject.version.acceleratorConfig is None or subject.target.is_cloud:
        return []
    text = say("the embedded server has no accelerators")
    return [error("version.acceleratorConfig", text, say("leave it out: the model is served on the processor"))]


@rule("P05", link=links.API)
def explanation_here(subject: Subject) -> Outcomes:
    """The embedded server has no explanations."""
    if subject.version.explanationConfig is None or subject.target.is_cloud:
        return []
    return [error("version.explanationConfig", say("the embedded server has no explanations"), say("leave it out"))]

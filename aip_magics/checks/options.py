"""Rules about fields of a version that exclude or need each other."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule


@rule("S08", link=links.BOTH_GIVEN)
def class_or_framework(subject: Subject) -> Outcomes:
    """predictionClass and framework exclude each other."""
    version = subject.version
    if version.predictionClass is None or version.framework in (None, "FRAMEWORK_UNSPECIFIED"):
        return []
    text = 'exactly one of "predictionClass" and "framework" may be given'
    return [error("version.framework", text, "leave framework out: a custom prediction routine has none")]


@rule("S20", link=links.API)
def service_account(subject: Subject) -> Outcomes:
    """A service account goes with a custom prediction routine or a container only."""
    if subject.version.serviceAccount is None or subject.is_custom:
        return []
    text = "serviceAccount is only for a predictionClass or a container"
    return [error("version.serviceAccount", text, "leave it out")]


@rule("S21", link=links.API)
def both_scalings(subject: Subject) -> Outcomes:
    """autoScaling and manualScaling exclude each other."""
    if subject.version.autoScaling is None or subject.version.manualScaling is None:
        return []
    text = "autoScaling and manualScaling exclude each other"
    return [error("version.manualScaling", text, "keep one: autoScaling follows the load, manualScaling does not")]

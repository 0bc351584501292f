"""Rules about fields of a version that exclude or require each other."""

from __future__ import annotations

import re

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _

TABLE = re.compile(r"[\w.:-]+\.\w+\.[\w$-]+")  # a BigQuery table with its project and dataset


@rule("S08", "prediction-class-with-framework", link=links.BOTH_GIVEN)
def prediction_class_with_framework(context: CheckContext) -> Outcomes:
    """predictionClass and framework are mutually exclusive."""
    version = context.version
    if version.predictionClass is None or version.framework in (None, "FRAMEWORK_UNSPECIFIED"):
        return []
    text = _("predictionClass and framework are mutually exclusive")
    return [error("version.framework", text, _("omit framework: a custom prediction routine has none"))]


@rule("S20", "unusable-service-account", link=links.API)
def unusable_service_account(context: CheckContext) -> Outcomes:
    """serviceAccount requires a custom prediction routine or a container."""
    if context.version.serviceAccount is None or context.is_custom:
        return []
    text = _("serviceAccount requires a predictionClass or a container")
    return [error("version.serviceAccount", text, _("omit {field}", field="serviceAccount"))]


@rule("S21", "conflicting-scaling", link=links.API)
def conflicting_scaling(context: CheckContext) -> Outcomes:
    """autoScaling and manualScaling are mutually exclusive."""
    if context.version.autoScaling is None or context.version.manualScaling is None:
        return []
    text = _("autoScaling and manualScaling are mutually exclusive")
    return [
        error(
            "version.manualScaling", text, _("keep one of them: autoScaling follows the load, manualScaling does not")
        )
    ]


@rule("L01", "invalid-request-logging", link=links.API)
def invalid_request_logging(context: CheckContext) -> Outcomes:
    """requestLoggingConfig must have a BigQuery table and the share of the requests to log, between 0 and 1.

    The service ignores the field when it creates a version: a deploy sets it in an update, once the version is READY.
    """
    config = context.version.requestLoggingConfig
    if config is None:
        return []
    field = "version.requestLoggingConfig"
    found = []
    if not TABLE.fullmatch(config.bigqueryTableName or ""):
        text = _("expected the name of a BigQuery table")
        found.append(error(f"{field}.bigqueryTableName", text, "PROJECT.DATASET.TABLE"))
    share = config.samplingPercentage or 0
    if not 0 <= share <= 1:
        text = _("samplingPercentage must be between 0 and 1")
        found.append(error(f"{field}.samplingPercentage", text, "samplingPercentage: 0.1"))
    elif not share:
        text = _("no requests are logged: samplingPercentage defaults to 0")
        found.append(warning(f"{field}.samplingPercentage", text, "samplingPercentage: 0.1"))
    return found


@rule("F03", "invalid-explanation-config", link=links.API)
def invalid_explanation_config(context: CheckContext) -> Outcomes:
    """explanationConfig must have one method, and requires an N1 machine on a regional endpoint."""
    config = context.version.explanationConfig
    if config is None:
        return []
    field = "version.explanationConfig"
    methods = list(config.to_json())
    if len(methods) > 1:
        text = _("expected one explanation method, got {count}", count=len(methods))
        return [error(field, text, _("keep only {field}", field=methods[0]))]
    if context.family == "N1":
        return []
    text = _("explanations are not available on MLS1 machines; use an N1 machine on a regional endpoint")
    return [error(field, text, _("add --region, or omit {field}", field="explanationConfig"))]

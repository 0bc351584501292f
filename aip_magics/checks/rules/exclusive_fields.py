"""Rules about fields of a version that exclude or need each other."""

from __future__ import annotations

import re

from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _

TABLE = re.compile(r"[\w.:-]+\.\w+\.[\w$-]+")  # of BigQuery, with its project and dataset


@rule("S08", link=links.BOTH_GIVEN)
def class_or_framework(context: CheckContext) -> Outcomes:
    """predictionClass and framework exclude each other."""
    version = context.version
    if version.predictionClass is None or version.framework in (None, "FRAMEWORK_UNSPECIFIED"):
        return []
    text = _('exactly one of "predictionClass" and "framework" may be given')
    return [error("version.framework", text, _("leave framework out: a custom prediction routine has none"))]


@rule("S20", link=links.API)
def service_account(context: CheckContext) -> Outcomes:
    """A service account goes with a custom prediction routine or a container only."""
    if context.version.serviceAccount is None or context.is_custom:
        return []
    text = _("serviceAccount is only for a predictionClass or a container")
    return [error("version.serviceAccount", text, _("leave it out"))]


@rule("S21", link=links.API)
def both_scalings(context: CheckContext) -> Outcomes:
    """autoScaling and manualScaling exclude each other."""
    if context.version.autoScaling is None or context.version.manualScaling is None:
        return []
    text = _("autoScaling and manualScaling exclude each other")
    return [error("version.manualScaling", text, _("keep one: autoScaling follows the load, manualScaling does not"))]


@rule("L01", link=links.API)
def request_logging(context: CheckContext) -> Outcomes:
    """requestLoggingConfig names a table of BigQuery, and the share of the requests that goes there, 0 to 1.

    The service ignores it when a version is made: a deploy sends it in an update, once the version is READY.
    """
    config = context.version.requestLoggingConfig
    if config is None:
        return []
    field = "version.requestLoggingConfig"
    found = []
    if not TABLE.fullmatch(config.bigqueryTableName or ""):
        text = _("the name of a BigQuery table is wanted")
        found.append(error(f"{field}.bigqueryTableName", text, "PROJECT.DATASET.TABLE"))
    share = config.samplingPercentage or 0
    if not 0 <= share <= 1:
        text = _("samplingPercentage is a share of the requests, from 0 to 1")
        found.append(error(f"{field}.samplingPercentage", text, "samplingPercentage: 0.1"))
    elif not share:
        text = _("no request is logged: samplingPercentage is 0 where it is left out")
        found.append(warning(f"{field}.samplingPercentage", text, "samplingPercentage: 0.1"))
    return found


@rule("F03", link=links.API)
def explanations(context: CheckContext) -> Outcomes:
    """explanationConfig names one method, and is for N1 machines of regional endpoints."""
    config = context.version.explanationConfig
    if config is None:
        return []
    field = "version.explanationConfig"
    methods = list(config.to_json())
    if len(methods) > 1:
        text = _("{count} methods of explanation are given; one is wanted", count=len(methods))
        return [error(field, text, _("keep {field}", field=methods[0]))]
    if context.family == "N1":
        return []
    text = _("MLS1 machines give no explanations: they are for N1 machines of regional endpoints")
    return [error(field, text, _("add --region, or leave {field} out", field="explanationConfig"))]

"""Rules about fields of a version that exclude or need each other."""

from __future__ import annotations

import re

from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule, warning
from aip_magics.i18n import gettext as _

TABLE = re.compile(r"[\w.:-]+\.\w+\.[\w$-]+")  # of BigQuery, with its project and dataset


@rule("S08", link=links.BOTH_GIVEN)
def class_or_framework(subject: Subject) -> Outcomes:
    """predictionClass and framework exclude each other."""
    version = subject.version
    if version.predictionClass is None or version.framework in (None, "FRAMEWORK_UNSPECIFIED"):
        return []
    text = _('exactly one of "predictionClass" and "framework" may be given')
    return [error("version.framework", text, _("leave framework out: a custom prediction routine has none"))]


@rule("S20", link=links.API)
def service_account(subject: Subject) -> Outcomes:
    """A service account goes with a custom prediction routine or a container only."""
    if subject.version.serviceAccount is None or subject.is_custom:
        return []
    text = _("serviceAccount is only for a predictionClass or a container")
    return [error("version.serviceAccount", text, _("leave it out"))]


@rule("S21", link=links.API)
def both_scalings(subject: Subject) -> Outcomes:
    """autoScaling and manualScaling exclude each other."""
    if subject.version.autoScaling is None or subject.version.manualScaling is None:
        return []
    text = _("autoScaling and manualScaling exclude each other")
    return [error("version.manualScaling", text, _("keep one: autoScaling follows the load, manualScaling does not"))]


@rule("L01", link=links.API)
def request_logging(subject: Subject) -> Outcomes:
    """requestLoggingConfig names a table of BigQuery, and the share of the requests that goes there, 0 to 1.

    The service ignores it when a version is made: a deploy sends it in an update, once the version is READY.
    """
    config = subject.version.requestLoggingConfig
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
def explanations(subject: Subject) -> Outcomes:
    """explanationConfig names one method, and is for N1 machines of regional endpoints."""
    config = subject.version.explanationConfig
    if config is None:
        return []
    field = "version.explanationConfig"
    methods = list(config.to_json())
    if len(methods) > 1:
        text = _("{count} methods of explanation are given; one is wanted", count=len(methods))
        return [error(field, text, _("keep {field}", field=methods[0]))]
    if subject.family == "N1":
        return []
    text = _("MLS1 machines give no explanations: they are for N1 machines of regional endpoints")
    return [error(field, text, _("add --region, or leave {field} out", field="explanationConfig"))]

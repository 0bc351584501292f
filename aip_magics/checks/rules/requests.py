"""Rules about the test request."""

from __future__ import annotations

import json

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _

ROWS = "instances: [[5.1, 3.5, 1.4, 0.2]]"  # what well-formed instances look like


@rule("R01", link=links.LARGE_REQUEST)
def request_size(context: CheckContext) -> Outcomes:
    """The body of a prediction has at most 1,572,864 bytes (1.5 MB)."""
    if context.test_request is None:
        return no_test()
    size, most = len(context.test_request), catalog.limits().predict_body_bytes
    if size <= most:
        return []
    text = _("the request has {size} bytes; the payload size limit is {most} bytes", size=size, most=most)
    return [
        error(
            "test.instances",
            text,
            _("send fewer instances at once: about {share}", share=_share(context.test_request, most)),
        )
    ]


@rule("R16", link=links.API_PREDICT)
def instances(context: CheckContext) -> Outcomes:
    """The test request is a JSON object whose `instances` is a list that is not empty."""
    if context.test_request is None:
        return no_test()
    try:
        body = json.loads(context.test_request)
    except RecursionError:
        return [error("test", _("the request is not JSON: {problem}", problem=_("it is nested too deeply")), ROWS)]
    except ValueError as problem:
        return [error("test", _("the request is not JSON: {problem}", problem=problem), ROWS)]
    if not isinstance(body, dict) or "instances" not in body:
        return [error("test", _("the request is not an object with `instances`"), ROWS)]
    if not isinstance(body["instances"], list):
        return [error("test.instances", _("instances is not a list"), ROWS)]
    if not body["instances"]:
        return [error("test.instances", _("instances is an empty list"), ROWS)]
    return []


def no_test() -> Skipped:
    """The outcome of a rule about test instances where there are none."""
    return Skipped(_("no test instances were given"))


def _share(body: bytes, most: int) -> int:
    try:
        count = len(json.loads(body)["instances"])
    except (ValueError, TypeError, KeyError, RecursionError):
        count = 1
    return max(1, count * most // len(body))

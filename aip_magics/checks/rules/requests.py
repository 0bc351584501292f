"""Rules about the test request."""

from __future__ import annotations

import json

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _

ROWS = "instances: [[5.1, 3.5, 1.4, 0.2]]"  # an example of well-formed instances


@rule("R01", "request-too-large", link=links.LARGE_REQUEST)
def request_too_large(context: CheckContext) -> Outcomes:
    """The body of a prediction request must not exceed 1,572,864 bytes (1.5 MB).

    The limit is one of the API, which the embedded server has, too.
    """
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
            _("send fewer instances per request: about {share}", share=_share(context.test_request, most)),
        )
    ]


@rule("R16", "invalid-test-request", link=links.API_PREDICT)
def invalid_test_request(context: CheckContext) -> Outcomes:
    """The test request must be a JSON object whose `instances` is a non-empty list."""
    if context.test_request is None:
        return no_test()
    try:
        body = json.loads(context.test_request)
    except RecursionError:
        return [
            error(
                "test", _("the request is not valid JSON: {problem}", problem=_("the value is nested too deeply")), ROWS
            )
        ]
    except ValueError as problem:
        return [error("test", _("the request is not valid JSON: {problem}", problem=problem), ROWS)]
    if not isinstance(body, dict) or "instances" not in body:
        return [error("test", _("the request is not a JSON object with `instances`"), ROWS)]
    if not isinstance(body["instances"], list):
        return [error("test.instances", _("instances is not a list"), ROWS)]
    if not body["instances"]:
        return [error("test.instances", _("instances is an empty list"), ROWS)]
    return []


def no_test() -> Skipped:
    """Return the outcome of a rule about test instances if there are none."""
    return Skipped(_("no test instances were given"))


def _share(body: bytes, most: int) -> int:
    try:
        count = len(json.loads(body)["instances"])
    except (ValueError, TypeError, KeyError, RecursionError):
        count = 1
    return max(1, count * most // len(body))

"""Rules about the test request."""

from __future__ import annotations

import json

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Skipped, Subject, error, rule

_NO_TEST = Skipped("no test instances were given")


@rule("R01", link=links.LARGE_REQUEST)
def request_size(subject: Subject) -> Outcomes:
    """The body of a prediction has at most 1,572,864 bytes (1.5 MB)."""
    if subject.test_request is None:
        return _NO_TEST
    size, most = len(subject.test_request), catalog.limits().predict_body_bytes
    if size <= most:
        return []
    text = f"the request has {size} bytes; the payload size limit is {most} bytes"
    return [error("test.instances", text, f"send fewer instances at once: about {_share(subject.test_request, most)}")]


@rule("R16", link=links.API_PREDICT)
def instances(subject: Subject) -> Outcomes:
    """The test request is a JSON object whose `instances` is a list that is not empty."""
    if subject.test_request is None:
        return _NO_TEST
    fix = "instances: [[5.1, 3.5, 1.4, 0.2]]"
    try:
        body = json.loads(subject.test_request)
    except ValueError as problem:
        return [error("test", f"the request is not JSON: {problem}", fix)]
    if not isinstance(body, dict) or "instances" not in body:
        return [error("test", "the request is not an object with `instances`", fix)]
    if not isinstance(body["instances"], list):
        return [error("test.instances", "instances is not a list", fix)]
    if not body["instances"]:
        return [error("test.instances", "instances is an empty list", fix)]
    return []


def _share(body: bytes, most: int) -> int:
    try:
        count = len(json.loads(body)["instances"])
    except (ValueError, TypeError, KeyError):
        count = 1
    return max(1, count * most // len(body))

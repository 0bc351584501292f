"""Batch several requests into one: their instances in one list, its predictions split among them.

Only requests that agree in everything but their instances are batched. The standard `json` reads and writes here as it
does in the worker, so that each answer has the bytes it would have had alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

MAX_INSTANCES = 64
MAX_WHOLE = 2**53  # whole numbers that every numeric type of an array holds exactly


@dataclasses.dataclass(frozen=True)
class BatchPart:
    """A request that can be batched: its instances, and `rest`, equal for the requests of one batch."""

    instances: list[Any]
    rest: str


def parse_part(body: bytes) -> BatchPart | None:
    """None for a body that is to go alone: no request, no list of instances, an empty or a long one."""
    try:
        request = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    instances = request.pop("instances", None) if isinstance(request, dict) else None
    if not isinstance(instances, list) or not 0 < len(instances) <= MAX_INSTANCES:
        return None
    return BatchPart(instances, json.dumps(request, sort_keys=True))


def merge_parts(parts: Sequence[BatchPart]) -> bytes:
    """One request's body for all of them."""
    instances = [instance for part in parts for instance in part.instances]
    return json.dumps({**json.loads(parts[0].rest), "instances": instances}).encode("ascii")


def split_answer(answer: bytes, parts: Sequence[BatchPart]) -> list[bytes]:
    """The body of each request's answer. ValueError if there is not one prediction for each instance."""
    predictions = json.loads(answer)["predictions"]
    if len(predictions) != sum(len(part.instances) for part in parts):
        raise ValueError("the number of predictions is not that of the instances")
    bodies, begin = [], 0
    for part in parts:
        end = begin + len(part.instances)
        bodies.append(json.dumps({"predictions": predictions[begin:end]}).encode("ascii"))
        begin = end
    return bodies


def number_kind(part: BatchPart) -> str:
    """What the array of these instances would be, `float 4`; empty if they are not rows of numbers of one length.

    Requests of the same kind make an array with the same values together as each alone: NumPy would turn whole numbers
    beside others into floats, and numbers beside texts into texts.
    """
    width, kinds = 0, set[type]()
    for row in part.instances:
        if type(row) is not list or not row or (width and len(row) != width):
            return ""
        width = len(row)
        kinds.update(map(type, row))
    if kinds == {int} and all(abs(value) < MAX_WHOLE for row in part.instances for value in row):
        return f"int {width}"
    return f"float {width}" if float in kinds and kinds <= {int, float} else ""

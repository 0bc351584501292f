"""Batch several requests into one: their instances in one list, its predictions split among them.

Only requests that agree in everything but their instances, and in the kind of these, are batched. The standard `json`
reads and writes here as it does in the worker, so that each answer has the bytes it would have had alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from aip_magics.errors import PredictionError, WorkerError

MAX_INSTANCES = 64  # of a batch
MAX_WHOLE = 2**53  # whole numbers that every numeric type of an array holds exactly


@dataclasses.dataclass(frozen=True)
class BatchPart:
    """A request that can be batched: its instances; `rest` and `kind` are equal for the requests of one batch.

    `kind` is what the array of the instances would be (`number_kind`), empty for other instances than rows of numbers.
    """

    instances: list[Any]
    rest: str
    kind: str


@dataclasses.dataclass(eq=False)
class WaitingRequest:
    """A request that may be batched while it waits.

    `turn` yields what the request waits for, or the answer that another request got for it; None before it waits.
    """

    body: bytes
    alone: bool = False  # not to be batched (again)
    turn: asyncio.Future[Any] | None = None
    part: BatchPart | None = None

    @property
    def is_waiting(self) -> bool:
        return self.turn is not None and not self.turn.done()

    def find_part(self) -> BatchPart | None:
        """The request as a part of a batch; None if it goes alone."""
        if self.alone:
            return None
        self.part = self.part or parse_part(self.body)
        return self.part


Request = TypeVar("Request", bound=WaitingRequest)


def find_batch(request: WaitingRequest, waiting: Iterable[Request], *, numbers_only: bool = False) -> list[Request]:
    """The waiting requests that can be batched with this one, in their order; with `numbers_only`, rows of numbers."""
    part = request.find_part()
    if part is None or (numbers_only and not part.kind):
        return []
    found: list[Request] = []
    room = MAX_INSTANCES - len(part.instances)
    for other in waiting:
        if room <= 0:
            break
        if other.alone or not other.is_waiting:
            continue
        theirs = other.find_part()
        if theirs is None:
            other.alone = True
        elif (theirs.rest, theirs.kind) == (part.rest, part.kind) and len(theirs.instances) <= room:
            found.append(other)
            room -= len(theirs.instances)
    return found


async def predict_batch(
    request: WaitingRequest,
    others: Sequence[WaitingRequest],
    predict: Callable[[bytes], Awaitable[bytes]],
    put_back: Callable[[], None],
) -> bytes:
    """Predict the requests that `find_batch` found together, give the others their answers, and return this one's.

    If that fails, `put_back` is called, so that each of the others goes alone, and this one is predicted alone: a
    fault may be one request's. Not if the worker has died.
    """
    parts = [one.part for one in (request, *others) if one.part]
    try:
        answer = await predict(merge_parts(parts))
        mine, *theirs = split_answer(answer, parts)
    except (PredictionError, ValueError) as error:
        put_back()
        if isinstance(error, WorkerError):
            raise
        return await predict(request.body)
    except BaseException:
        put_back()
        raise
    # A turn of the loop later, so that the worker gets its next batch before these answers are sent: a container
    # answered 1.25 times as many requests a second from 8 connections.
    asyncio.get_running_loop().call_soon(_give_answers, others, theirs)
    return mine


def _give_answers(requests: Sequence[WaitingRequest], answers: Sequence[bytes]) -> None:
    for request, answer in zip(requests, answers, strict=True):
        if request.turn and not request.turn.done():
            request.turn.set_result(answer)


def parse_part(body: bytes) -> BatchPart | None:
    """None for a body that is to go alone: no request, no list of instances, an empty or a long one."""
    try:
        request = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    instances = request.pop("instances", None) if isinstance(request, dict) else None
    if not isinstance(instances, list) or not 0 < len(instances) <= MAX_INSTANCES:
        return None
    return BatchPart(instances, json.dumps(request, sort_keys=True), number_kind(instances))


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


def number_kind(instances: Sequence[Any]) -> str:
    """What the array of these instances would be, `float 4`; empty if they are not rows of numbers of one length.

    Requests of the same kind make an array with the same values together as each alone: NumPy would turn whole numbers
    beside others into floats, and numbers beside texts into texts.
    """
    width, kinds = 0, set[type]()
    for row in instances:
        if type(row) is not list or not row or (width and len(row) != width):
            return ""
        width = len(row)
        kinds.update(map(type, row))
    if kinds == {int} and all(abs(value) < MAX_WHOLE for row in instances for value in row):
        return f"int {width}"
    return f"float {width}" if float in kinds and kinds <= {int, float} else ""

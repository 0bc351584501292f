"""What a predict request addresses, and how its API limits the request and words the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from aip_magics.errors import ApiError
from aip_magics.server.names import VersionKey

TooLarge = Callable[[int, int], ApiError]  # of the size of a request and its limit, in bytes


@dataclasses.dataclass(frozen=True)
class PredictApi:
    """The part of an API that is the same for many versions. `model_error` is the body of the answer (HTTP 400) for a
    message of the model.
    """

    body_bytes: int
    seconds: float
    too_large: TooLarge
    model_error: Callable[[str], bytes]


@dataclasses.dataclass(frozen=True)
class PredictTarget:
    """A version that predicts for an API.

    `ending` replaces the last brace of the answer, which adds fields to it; `rewrite` turns the body of a request into
    the one for the worker.
    """

    key: VersionKey
    api: PredictApi
    ending: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rewrite: Callable[[bytes], bytes] | None = None

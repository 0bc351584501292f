"""Update masks: which fields of a resource a patch replaces."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, TypeVar

from starlette.requests import Request

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import snake, violation
from aip_magics.server.conventions.request_parsing import camel
from aip_magics.spec import Resource

T = TypeVar("T", bound=Resource)

_FIELD = "update_mask"


def from_request(request: Request, known: Collection[str]) -> tuple[str, ...]:
    """The paths of `updateMask` in camelCase: `autoScaling.minNodes`, also where it says `auto_scaling.min_nodes`.

    InvalidArgument where it is missing, or names a path that is not in `known`.
    """
    query = request.query_params
    given = ",".join(query.getlist("updateMask") + query.getlist("update_mask"))
    return parse(given, known)


def parse(given: str, known: Collection[str]) -> tuple[str, ...]:
    """The paths of an update mask as one text."""
    paths = tuple(dict.fromkeys(camel(path.strip()) for path in given.split(",") if path.strip()))
    if not paths:
        raise violation(InvalidArgument, _FIELD, "The update mask must be present and non-empty.")
    for path in paths:
        if path not in known:
            options = ", ".join(snake(name) for name in known)
            text = f"The field '{snake(path)[:200]}' cannot be updated. Fields that can: {options}."
            raise violation(InvalidArgument, _FIELD, text)
    return paths


def apply(current: T, given: T, paths: Collection[str]) -> T:
    """`current` with the fields of the mask as in `given`; what is not set there is not set afterwards."""
    changed, source = copy.deepcopy(current.to_json()), given.to_json()
    for path in paths:
        *parents, last = path.split(".")
        target: Any = changed
        found: Any = source
        for name in parents:
            target = target.setdefault(name, {})
            found = found.get(name) or {}
        if last in found:
            target[last] = found[last]
        else:
            target.pop(last, None)
    return type(current).from_json(changed)

"""Field masks: the fields of a resource that a patch replaces."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, TypeVar

from starlette.requests import Request

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import to_snake_case, violation
from aip_magics.server.conventions.request_parsing import to_camel_case
from aip_magics.spec import Resource

T = TypeVar("T", bound=Resource)

_FIELD = "update_mask"


def from_request(request: Request, updatable: Collection[str]) -> tuple[str, ...]:
    """Return the paths of `updateMask` in camelCase: `autoScaling.minNodes`, also for `auto_scaling.min_nodes`.

    InvalidArgument when the mask is missing or has a path that is not in `updatable`.
    """
    query = request.query_params
    mask = ",".join(query.getlist("updateMask") + query.getlist("update_mask"))
    return parse(mask, updatable)


def parse(mask: str, updatable: Collection[str]) -> tuple[str, ...]:
    """Return the paths of a comma-separated field mask; InvalidArgument as for `from_request`."""
    paths = tuple(dict.fromkeys(to_camel_case(path.strip()) for path in mask.split(",") if path.strip()))
    if not paths:
        raise violation(InvalidArgument, _FIELD, "The update mask must be present and non-empty.")
    for path in paths:
        if path not in updatable:
            options = ", ".join(to_snake_case(name) for name in updatable)
            text = f"The field '{to_snake_case(path)[:200]}' cannot be updated. Updatable fields: {options}."
            raise violation(InvalidArgument, _FIELD, text)
    return paths


def apply(current: T, requested: T, paths: Collection[str]) -> T:
    """Return `current` with the fields of the mask replaced by those of `requested`; unset fields are cleared."""
    changed, source = copy.deepcopy(current.to_json()), requested.to_json()
    for path in paths:
        *parents, last = path.split(".")
        target: Any = changed
        value: Any = source
        for name in parents:
            target = target.setdefault(name, {})
            value = value.get(name) or {}
        if last in value:
            target[last] = value[last]
        else:
            target.pop(last, None)
    return type(current).from_json(changed)

"""Traffic splits of an endpoint: their rules, and the random choice of the deployed model that gets a request."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.vertex.error_texts import field_error

NEW = "0"  # in the split of a deployModel request: the model that is being deployed
FIELD = "traffic_split"
ALL = 100

T = TypeVar("T")
Split = Mapping[str, int]  # id of a deployed model → percentage


class WeightedChoice(Generic[T]):
    """Chooses one of some values at random, each as often as its percentage says; 0: never."""

    def __init__(self, percentages: Mapping[T, int]) -> None:
        """The percentages add up to 100, or there are none."""
        self._slots = [value for value, percentage in percentages.items() for _ in range(percentage)]

    def __call__(self) -> T:
        return self._slots[int(random.random() * ALL)]


def parse(value: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the split of a request; InvalidArgument unless it is empty or its percentages add up to 100."""
    split = {str(id_): _percentage(id_, percentage) for id_, percentage in (value or {}).items()}
    total = sum(split.values())
    if split and total != ALL:
        raise field_error(FIELD, f"The traffic percentages must add up to {ALL}, got {total}.")
    return split


def check_ids(split: Split, ids: Collection[str]) -> None:
    """Raise InvalidArgument when the split names a model that is not deployed."""
    unknown = sorted(set(split) - set(ids))
    if unknown:
        listed = ", ".join(unknown)[:500]
        raise InvalidArgument(f"The following DeployedModel ID(s) [{listed}] do not exist.")


def after_deploy(current: Split, requested: Split, id_: str) -> dict[str, int]:
    """Return the split of an endpoint once the model `id_` is deployed; without a requested split it stays."""
    if not requested:
        return dict(current)
    return {id_ if name == NEW else name: percentage for name, percentage in requested.items()}


def after_undeploy(current: Split, requested: Split, id_: str, others: Collection[str]) -> dict[str, int]:
    """Return the split of an endpoint without the model `id_`, whose `others` stay deployed.

    FailedPrecondition while the model gets traffic, unless it is the last one or the requested split takes it away.
    """
    check_ids(requested, {id_, *others})
    if not others:
        return {}
    split = requested or current
    if split.get(id_):
        text = (
            f"The DeployedModel {id_} gets {split[id_]} % of the traffic of the endpoint. Please give its traffic to "
            "other models in traffic_split, or undeploy it last."
        )
        raise FailedPrecondition(text)
    return {name: percentage for name, percentage in split.items() if name != id_}


def _percentage(id_: object, value: Any) -> int:
    number = value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 4:
        number = int(value)  # an int32 may travel as a string
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= ALL:
        text = f"A percentage must be a whole number from 0 to {ALL}, got {str(value)[:100]!r} for {str(id_)[:100]!r}."
        raise field_error(FIELD, text)
    return number

"""What rules need to know of a pickled object, from the stand-ins of its state."""

from __future__ import annotations

import itertools

from aip_magics.artifacts.facts import PickledObject
from aip_magics.artifacts.pickle_values import Dictionary, KeptList, Made, class_of

_MAX_HELD = 64  # objects of a dictionary
# Attributes that hold the estimator that does the work; of the steps of a pipeline, the last one does.
_PARTS = ("estimator", "best_estimator_")
_MAX_DEPTH = 8  # of estimators in estimators; an object may also hold itself


def outline(value: object, depth: int = 0) -> PickledObject | None:
    """What rules need to know of an object: its class and its attributes. None where it is no object."""
    if isinstance(value, Dictionary) and depth == 0:
        held = {key: outline(one, 1) for key, one in itertools.islice(value.items(), _MAX_HELD)}
        return PickledObject("builtins.dict", parts={key: part for key, part in held.items() if part})
    name = class_of(value)
    if name is None or not isinstance(value, Made):
        return None
    state = value.state
    if not isinstance(state, Dictionary) or isinstance(value, KeptList):
        return PickledObject(name)
    parts = {key: state[key] for key in _PARTS if key in state}
    if isinstance(steps := state.get("steps"), KeptList) and steps.whole and steps.items:
        step = steps.items[-1]
        parts["steps"] = step[1] if isinstance(step, tuple) and len(step) == 2 else None
    outlines = {} if depth >= _MAX_DEPTH else {key: outline(part, depth + 1) for key, part in parts.items()}
    flags = {key: flag for key, flag in state.items() if flag is None or isinstance(flag, bool)}
    return PickledObject(name, frozenset(state), flags, {key: part for key, part in outlines.items() if part})

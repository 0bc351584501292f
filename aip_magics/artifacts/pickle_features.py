"""The feature names that a pickled estimator was fitted with, from the stand-ins of its state."""

from __future__ import annotations

import re

from aip_magics.artifacts.boosters import feature_names_in
from aip_magics.artifacts.pickle_values import KEPT_BYTES, Dictionary, KeptList, Made, class_of, maker_of

_MAX_DEPTH = 20  # pipelines in pipelines
_BOOSTERS = re.compile(r"xgboost\.core\.Booster")
_PASSED_THROUGH = (None, "passthrough")  # steps of a pipeline that leave the data as it is


def feature_names(value: object) -> tuple[str, ...]:
    """The names in `feature_names_in_` of an estimator, of a pipeline's first step, or of a booster in it.

    Empty if it was fitted without names, or if the pickle has the attribute in another form than scikit-learn.
    """
    for _unused in range(_MAX_DEPTH):
        state = value.state if isinstance(value, Made) else None
        if not isinstance(value, Made) or not isinstance(state, Dictionary) or state.odd:
            return ()
        if "feature_names_in_" in state:
            return _texts(state["feature_names_in_"])
        if _BOOSTERS.fullmatch(maker_of(value) or ""):
            return _names_of_booster(state.get("handle"))
        # Others have the attribute as a property: it is that of what gets the data first.
        steps = state.get("steps", state.get("transformer_list"))
        value = _first_step(steps) or state.get("best_estimator_") or state.get("_Booster")
    return ()


def _first_step(steps: object) -> object:
    if not isinstance(steps, KeptList) or not steps.whole:
        return None
    for step in steps.items:
        if not isinstance(step, tuple) or len(step) != 2:
            return None
        if step[1] not in _PASSED_THROUGH:
            found: object = step[1]
            return found
    return None


def _texts(value: object) -> tuple[str, ...]:
    """The texts in an array of objects, as pickle or joblib writes it."""
    if isinstance(value, Made) and value.content is not None:
        value = value.content
    if not isinstance(value, Made) or class_of(value) != "numpy.ndarray":
        return ()
    items = value.state[4] if isinstance(value.state, tuple) and len(value.state) == 5 else None
    if not isinstance(items, KeptList) or not items.whole:
        return ()
    # U+FFFD: the name has a character that the reader replaced.
    fine = all(isinstance(name, str) and "\ufffd" not in name for name in items.items)
    return tuple(items.items) if fine else ()


def _names_of_booster(handle: object) -> tuple[str, ...]:
    for _unused in range(2):  # bytearray(bytes), in protocols 0 to 2 bytearray(_codecs.encode(text, "latin1"))
        if isinstance(handle, Made) and isinstance(handle.arguments, tuple) and handle.arguments:
            handle = handle.arguments[0]
    if isinstance(handle, str):
        handle = handle.encode("latin-1", "replace")
    if not isinstance(handle, bytes):
        return ()
    whole = len(handle) < 2 * KEPT_BYTES
    return feature_names_in(handle if whole else handle[:KEPT_BYTES])

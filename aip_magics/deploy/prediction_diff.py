"""When two predictions are equal: floats within a tolerance, everything else exactly; and where they are not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from aip_magics.i18n import gettext as _

# Two builds of the same library differ in the last digits of a float32; a wrong model differs by more.
RELATIVE = 1e-5
ABSOLUTE = 1e-8


class ValuePair(NamedTuple):
    """The values at the same place of two JSON values: both scalars, or containers whose structures differ.

    `path` are the keys and indices of the place; `output` is the path with `[]` for every index.
    """

    path: tuple[str | int, ...]
    output: tuple[str, ...]
    left: Any
    right: Any


def value_pairs(
    left: Any, right: Any, path: tuple[str | int, ...] = (), output: tuple[str, ...] = ()
) -> Iterator[ValuePair]:
    """Yield the pairs of values of two JSON values, in their order."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for key, value in left.items():
            yield from value_pairs(value, right[key], (*path, key), (*output, key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        inner = (*output, "[]")
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if isinstance(one, (list, dict)):
                yield from value_pairs(one, other, (*path, index), inner)
            else:
                yield ValuePair((*path, index), inner, one, other)
    else:
        yield ValuePair(path, output, left, right)


def is_equal(left: Any, right: Any, relative: float = RELATIVE) -> bool:
    """Whether two values of a ValuePair count as equal; `relative` is the tolerance for numbers.

    Two integers must be the same, as they are classes, ids or counts, and have no rounding errors.
    """
    if not (is_number(left) and is_number(right)):
        return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
    if left == right or (isinstance(left, int) and isinstance(right, int)):
        return bool(left == right)
    try:
        close = math.isclose(left, right, rel_tol=relative, abs_tol=min(ABSOLUTE, relative))
    except OverflowError:  # an integer that is no float
        return False
    return close or (math.isnan(left) and math.isnan(right))


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def place(path: tuple[str | int, ...]) -> str:
    """Write a path as in Python: `predictions[0].scores[2]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def difference(local: Any, online: Any) -> str | None:
    """Describe the first difference of two JSON values, `predictions[0]: 1 locally, 2 online`; None if they agree."""
    pair = next((pair for pair in value_pairs(local, online) if not is_equal(pair.left, pair.right)), None)
    if pair is None:
        return None
    are_numbers = is_number(pair.left) and is_number(pair.right)
    left, right = (str(value) if are_numbers else repr(value)[:80] for value in (pair.left, pair.right))
    return _("{where}: {local} locally, {online} online", where=place(pair.path), local=left, online=right)

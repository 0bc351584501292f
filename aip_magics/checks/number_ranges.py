"""The numbers that each type of TensorFlow can hold, to compare with numbers of JSON."""

from __future__ import annotations

import dataclasses
from typing import Literal

INTEGERS = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (4, 8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (4, 8, 16, 32, 64)},
}
# Type → bits of the fraction, exponent of the largest numbers.
_FLOATS = {"half": (10, 15), "float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}
FLOATS = tuple(_FLOATS)

Fault = Literal["range", "fraction"]


@dataclasses.dataclass(frozen=True)
class NumberRange:
    """The smallest and the largest number of a type, and the least number beyond, which becomes infinite."""

    smallest: int | float
    largest: int | float
    beyond: int

    def fault(self, value: int | float) -> Fault | None:
        """Say why the type cannot hold this number; None if it can."""
        if isinstance(self.largest, int) and isinstance(value, float) and not value.is_integer():
            return "fraction"
        below = value < self.smallest if isinstance(self.smallest, int) else value <= -self.beyond
        return "range" if below or value >= self.beyond else None


def _number_range(dtype: str) -> NumberRange:
    if dtype in INTEGERS:
        smallest, largest = INTEGERS[dtype]
        return NumberRange(smallest, largest, largest + 1)
    fraction, exponent = _FLOATS[dtype]
    largest_float = ((2 << fraction) - 1) << exponent - fraction
    # Half a step above the largest number, conversion rounds up, to infinity.
    return NumberRange(-float(largest_float), float(largest_float), ((4 << fraction) - 1) << exponent - fraction - 1)


RANGES = {dtype: _number_range(dtype) for dtype in (*INTEGERS, *_FLOATS)}

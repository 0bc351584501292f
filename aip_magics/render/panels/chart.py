"""Bar charts of class probabilities, for predictions whose numbers add up to one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import ProgressBar, Row, Table, row

MAX_BARS = 12  # more bars would fill a panel of 4 kB
MAX_CLASSES = 1000
STEPS = 1000


def probabilities(predictions: Sequence[Any], *, max_rows: int | None = None) -> Table | None:
    """Build a table of bars: one per class for a few predictions, one for the most likely class for many.

    Returns None unless every prediction is a list of probabilities or an object with exactly one such list.
    """
    rows = [_vector(prediction) for prediction in predictions[:max_rows]]
    vectors = [vector for vector in rows if vector]
    if not vectors or len(vectors) < len(rows):
        return None
    if sum(map(len, vectors)) <= MAX_BARS:
        drawn = tuple(each for index, vector in enumerate(vectors) for each in _classes(index, vector))
        return Table(_("probabilities"), ("#", _("class"), _("probability")), drawn)
    drawn = tuple(_most_likely(index, vector) for index, vector in enumerate(vectors[:MAX_BARS]))
    heads = ("#", _("most likely class"), _("probability"))
    return Table(_("probabilities"), heads, drawn, total=len(predictions))


def _classes(index: int, vector: Sequence[float]) -> Iterator[Row]:
    for number, share in enumerate(vector):
        yield row(str(index) if number == 0 else "", str(number), _bar(number, share))


def _most_likely(index: int, vector: Sequence[float]) -> Row:
    number = max(range(len(vector)), key=vector.__getitem__)
    return row(str(index), str(number), _bar(number, vector[number]))


def _bar(number: int, share: float) -> ProgressBar:
    return ProgressBar(round(share * STEPS), STEPS, _("class {number}", number=number), f"{share:.3f}")


def _vector(prediction: Any) -> Sequence[float]:
    """The probabilities in a prediction; empty without probabilities."""
    if isinstance(prediction, Mapping):
        found = [vector for value in prediction.values() if (vector := _vector_of(value))]
        return found[0] if len(found) == 1 else ()
    return _vector_of(prediction)


def _vector_of(value: Any) -> Sequence[float]:
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= MAX_CLASSES:
        return ()
    shares = all(
        isinstance(one, float) and 0 <= one <= 1 for one in value
    )  # the integers 0 and 1 are labels, not probabilities
    return value if shares and math.isclose(sum(value), 1, abs_tol=1e-3) else ()

"""The panel of predictions, each next to its instance if the instances are known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render import json as as_json
from aip_magics.render.blocks import Panel, Row, Table, row
from aip_magics.render.panels.chart import probabilities


def predictions(reply: Mapping[str, Any], *, max_rows: int | None = None) -> Panel:
    """Build the panel of a response `{"predictions": [...]}`, with its `instances` if there are equally many.

    If all predictions are objects, each key has a column.
    """
    values: Sequence[Any] = reply["predictions"]
    chart = probabilities(values, max_rows=max_rows)
    instances = reply.get("instances")
    known = isinstance(instances, (list, tuple)) and len(instances) == len(values)
    shown = values[:max_rows]
    keys = _keys(shown)
    heads = ("#", *((_("instance"),) if known else ()), *(keys if keys else (_("prediction"),)))
    rows = tuple(
        _row(index, [instances[index]] if known and instances else [], value, keys) for index, value in enumerate(shown)
    )
    caption = ngettext("{number} prediction", "{number} predictions", len(values))
    table = Table(caption, heads, rows, total=len(values))
    return Panel(_("predictions"), "good" if values else "idle", (table,) if chart is None else (table, chart))


def _row(index: int, instance: list[Any], prediction: Any, keys: tuple[str, ...]) -> Row:
    outputs = [prediction.get(key, "") for key in keys] if keys else [prediction]
    return row(str(index), *(_short(value) for value in (*instance, *outputs)))


def _keys(values: Sequence[Any]) -> tuple[str, ...]:
    if not values or not all(isinstance(value, Mapping) for value in values):
        return ()
    return tuple(dict.fromkeys(itertools.chain.from_iterable(values)))


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(as_json.to_json(value), ensure_ascii=False)

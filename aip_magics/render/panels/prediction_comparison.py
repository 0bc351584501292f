"""The panel of a comparison of two versions' predictions: what differs, where, by how much, errors and latencies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render import json as as_json
from aip_magics.render.blocks import Block, Line, Mark, Panel, Row, Table, Tone, code, line, muted, row, strong

if TYPE_CHECKING:
    from aip_magics.deploy.comparison import OutputDifference, PredictionComparison, VersionAnswers

MAX_EXAMPLES = 5  # more instances would fill a panel of 4 kB; the value has more
MAX_CHANGES = 8
MAX_OUTPUTS = 8
MAX_CHARS = 80  # of an instance or a prediction


def prediction_comparison(value: PredictionComparison) -> Panel:
    """Build the panel of a comparison."""
    failed = value.left.failed + value.right.failed
    tone: Tone = "bad" if failed else "warn" if value.differing else "good"
    names = (value.left.version, value.right.version)
    head = line(strong(value.model), names[0], "↔", names[1], muted(_count(value)))
    blocks: list[Block] = [head, line(Mark(tone, _verdict(value)))]
    blocks += _outputs(value)
    blocks += _examples(value)
    blocks.append(_answers(value))
    return Panel(_("predictions compared"), tone, tuple(blocks))


def _count(value: PredictionComparison) -> str:
    return ngettext("{number} instance", "{number} instances", value.instances)


def _verdict(value: PredictionComparison) -> str:
    if not value.compared:
        return _("no instance was predicted by both versions")
    if value.differing:
        return _(
            "{differing} of {compared} predictions differ",
            differing=f"{value.differing:,}",
            compared=f"{value.compared:,}",
        )
    if value.is_equal:
        return ngettext(
            "the prediction is equal (tolerance {tolerance:g})",
            "all {number} predictions are equal (tolerance {tolerance:g})",
            value.compared,
            tolerance=value.tolerance,
        )
    return ngettext(
        "{number} prediction is equal, the others failed",
        "{number} predictions are equal, the others failed",
        value.compared,
    )


def _outputs(value: PredictionComparison) -> Iterator[Block]:
    numeric = [output for output in value.outputs if output.max_absolute is not None]
    if numeric and value.differing:
        heads = (
            _("Output"), _("differing"), _("max. difference"), _("mean"), _("max. relative"), _("mean relative"),
        )  # fmt: skip
        rows = tuple(_numeric_row(output) for output in numeric[:MAX_OUTPUTS])
        yield Table(_("numbers"), heads, rows, total=len(numeric))
    changes = [(output, change) for output in value.outputs for change in output.changes]
    if changes:
        columns = (_("Output"), value.left.version, value.right.version, _("Count"))
        changed = tuple(
            row(_name(output), _short(change.left), _short(change.right), f"{change.count:,}")
            for output, change in changes[:MAX_CHANGES]
        )
        yield Table(_("changed values"), columns, changed, total=len(changes))


def _numeric_row(output: OutputDifference) -> Row:
    values = (output.max_absolute, output.mean_absolute, output.max_relative, output.mean_relative)
    figures = ["" if value is None else f"{value:.3g}" for value in values]
    return row(_name(output), f"{output.differing:,} / {output.values:,}", *figures)


def _name(output: OutputDifference) -> str:
    return output.name or _("prediction")


def _examples(value: PredictionComparison) -> Iterator[Block]:
    if value.examples:
        heads = ("#", _("instance"), value.left.version, value.right.version)
        rows = tuple(
            row(str(each.index), code(_short(each.instance)), _short(each.left), _short(each.right))
            for each in value.examples[:MAX_EXAMPLES]
        )
        yield Table(_("first differing instances"), heads, rows, total=value.differing)


def _answers(value: PredictionComparison) -> Table:
    heads = (_("Version"), _("Requests"), _("failed"), "p50", "p95")
    sides = (value.left, value.right)
    rows = [
        row(side.version, f"{side.requests:,}", f"{side.failed:,}", *_latencies(side), below=_errors(side))
        for side in sides
    ]
    if value.left.p50_ms and value.right.p50_ms and value.left.p95_ms and value.right.p95_ms:
        ratios = (value.right.p50_ms / value.left.p50_ms, value.right.p95_ms / value.left.p95_ms)
        rows.append(row(muted(_("ratio")), "", "", *(f"{ratio:.2f}×" for ratio in ratios)))
    caption = ngettext(
        "latencies, {number} request at a time", "latencies, {number} requests at a time", value.concurrency
    )
    return Table(caption, heads, tuple(rows))


def _latencies(side: VersionAnswers) -> list[str]:
    return ["" if value is None else f"{value:.1f} ms" for value in (side.p50_ms, side.p95_ms)]


def _errors(side: VersionAnswers) -> tuple[Line, ...]:
    return tuple(line(Mark("bad", f"{error.count}×"), error.message) for error in side.errors)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(as_json.to_json(value), ensure_ascii=False)
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"

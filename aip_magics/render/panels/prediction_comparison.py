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
    from aip_magics.deploy.comparison import ErrorCount, OutputDifference, PredictionComparison, VersionAnswers

MAX_EXAMPLES = 4  # more instances would fill a panel of 4 kB; the value has more
MAX_CHANGES = 6
MAX_OUTPUTS = 6
MAX_ERRORS = 2  # of a version
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
    blocks += _answers(value)
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
        heads = (_("Output"), _("differing"), _("difference: max, mean"), _("relative: max, mean"))
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
    absolute, relative = (
        ", ".join("" if value is None else f"{value:.3g}" for value in pair)
        for pair in ((output.max_absolute, output.mean_absolute), (output.max_relative, output.mean_relative))
    )
    return row(_name(output), f"{output.differing:,} / {output.values:,}", absolute, relative)


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


def _answers(value: PredictionComparison) -> Iterator[Line]:
    for side in (value.left, value.right):
        failed = _("{count} failed", count=f"{side.failed:,}")
        yield line(
            strong(side.version),
            ngettext("{number} request", "{number} requests", side.requests),
            Mark("bad", failed) if side.failed else "",
            _latencies(side),
        )
        yield from (line(f"{error.count}×", error.message, muted(_first(error))) for error in side.errors[:MAX_ERRORS])
    ratios = [
        _ratio(*pair) for pair in ((value.left.p50_ms, value.right.p50_ms), (value.left.p95_ms, value.right.p95_ms))
    ]
    if all(ratios):
        yield line(
            muted(
                ngettext(
                    "latency of {right} to {left}: p50 {p50}, p95 {p95}, with {number} request at a time",
                    "latency of {right} to {left}: p50 {p50}, p95 {p95}, with {number} requests at a time",
                    value.concurrency,
                    left=value.left.version,
                    right=value.right.version,
                    p50=ratios[0],
                    p95=ratios[1],
                )
            )
        )


def _first(error: ErrorCount) -> str:
    if error.first == error.last:
        return _("first: instance {index}", index=error.first)
    return _("first: one of the instances {first} to {last}", first=error.first, last=error.last)


def _latencies(side: VersionAnswers) -> str:
    if side.p50_ms is None or side.p95_ms is None:
        return ""
    return f"p50 {side.p50_ms:.1f} ms, p95 {side.p95_ms:.1f} ms"


def _ratio(left: float | None, right: float | None) -> str:
    return f"{right / left:.2f}×" if left and right else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(as_json.to_json(value), ensure_ascii=False)
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"

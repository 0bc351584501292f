"""How much the predictions of two versions differ: the result of a comparison, and how it is counted."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aip_magics.deploy.prediction_diff import RELATIVE, ValuePair, is_equal, is_number, place, value_pairs
from aip_magics.i18n import gettext as _

MAX_EXAMPLES = 100  # differing instances that a result keeps
MAX_OUTPUTS = 50
MAX_LABELS = 50  # an output of integers with more different values is a number, not a label
MAX_CHANGES = 20  # pairs of labels of an output, the most frequent first
MAX_COUNTED = 1000  # pairs of labels that are counted; texts may all be different
MAX_MESSAGES = 5  # different errors of a version
MAX_LABEL_CHARS = 80


@dataclasses.dataclass(frozen=True)
class LabelChange:
    """How often the versions predicted these two different values at the same place."""

    left: Any
    right: Any
    count: int


@dataclasses.dataclass(frozen=True)
class OutputDifference:
    """One output of the predictions over all instances.

    Attributes:
        name: `scores[]`: the key, with `[]` for each level of lists; empty if each prediction is one value.
        values: How many pairs of values were compared.
        differing: How many of these differ, by more than the tolerance if they are numbers.
        max_absolute: The largest absolute difference of two numbers; None for labels.
        mean_absolute: The mean over all pairs of numbers, also those that are equal.
        max_relative: The largest difference relative to the number with the larger absolute value.
        mean_relative: The mean of these.
        changes: For labels (strings, integers of a few different values, shapes): which became which.
    """

    name: str
    values: int
    differing: int
    max_absolute: float | None = None
    mean_absolute: float | None = None
    max_relative: float | None = None
    mean_relative: float | None = None
    changes: tuple[LabelChange, ...] = ()


@dataclasses.dataclass(frozen=True)
class DifferingInstance:
    """An instance with different predictions. `where` is the first different place, empty for the whole prediction."""

    index: int
    instance: Any
    left: Any
    right: Any
    where: str = ""


@dataclasses.dataclass(frozen=True)
class ErrorCount:
    """An error of a version, and how many requests it answered so; `first` to `last` are the instances of one of them.

    That is the one with the lowest instances. No instance of a failed request is compared.
    """

    message: str
    count: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class VersionAnswers:
    """How one of the versions answered. Latencies are those of successful requests in milliseconds."""

    version: str
    requests: int
    failed: int
    errors: tuple[ErrorCount, ...] = ()
    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclasses.dataclass(frozen=True)
class PredictionComparison:
    """The same requests answered by two versions of a model.

    Attributes:
        model: The ID of the model.
        source: Where the requests are from: `instances`, or `log`.
        instances: How many instances were sent to each version.
        compared: How many of these both versions predicted.
        equal: How many of these have equal predictions.
        tolerance: The relative tolerance for numbers.
        outputs: The outputs, each over all compared instances.
        examples: The first differing instances.
        left: The answers of the first version.
        right: The answers of the second version.
        concurrency: How many requests were sent to each version at a time.
        skipped: How many requests of the log could not be repeated.
    """

    panel_kind: ClassVar[str] = "prediction comparison"
    model: str
    source: str
    instances: int
    compared: int
    equal: int
    tolerance: float
    outputs: tuple[OutputDifference, ...]
    examples: tuple[DifferingInstance, ...]
    left: VersionAnswers
    right: VersionAnswers
    concurrency: int = 1
    skipped: int = 0

    @property
    def differing(self) -> int:
        """How many instances have different predictions."""
        return self.compared - self.equal

    @property
    def is_equal(self) -> bool:
        """Whether both versions predicted all instances, and equally."""
        return self.equal == self.instances

    @property
    def latency_ratio(self) -> float | None:
        """The median latency of the second version divided by that of the first; None without latencies."""
        return self.right.p50_ms / self.left.p50_ms if self.left.p50_ms and self.right.p50_ms else None

    def rows(self) -> list[dict[str, Any]]:
        """The differing instances as flat rows, for example for a DataFrame."""
        return [dict(vars(one)) for one in self.examples]

    def to_json(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "differing": self.differing,
            "isEqual": self.is_equal,
            "latencyRatio": self.latency_ratio,
        }


class _Output:
    """The pairs of values of one output."""

    def __init__(self) -> None:
        self.values = self.differing = self._numbers = self._integers = 0
        self._sums = [0.0, 0.0]
        self._largest = [0.0, 0.0]
        self._labels: set[int] = set()
        self._changes = Counter[tuple[str, str]]()

    def add(self, pair: ValuePair, tolerance: float) -> bool:
        """Count a pair; return whether its values are equal."""
        left, right = pair.left, pair.right
        equal = is_equal(left, right, tolerance)
        self.values += 1
        self.differing += not equal
        if is_number(left) and is_number(right):
            self._add_numbers(left, right)
        if not equal and (change := (_label(left), _label(right))) and self._is_counted(change):
            self._changes[change] += 1
        return equal

    def _add_numbers(self, left: float, right: float) -> None:
        self._numbers += 1
        if isinstance(left, int) and isinstance(right, int):
            self._integers += 1
            if len(self._labels) <= MAX_LABELS:
                self._labels |= {left, right}
        if left == right:
            return
        try:
            absolute = float(abs(left - right))
            relative = absolute / max(abs(left), abs(right))
        except OverflowError:  # an integer that is no float
            absolute = relative = math.inf
        for index, value in enumerate((absolute, relative)):
            if not math.isnan(value):
                self._sums[index] += value
                self._largest[index] = max(self._largest[index], value)

    def _is_counted(self, change: tuple[str, str]) -> bool:
        return len(self._changes) < MAX_COUNTED or change in self._changes

    def result(self, name: str) -> OutputDifference:
        """The output as a value. Integers of a few different values, as of classes, are labels and not numbers."""
        are_labels = self._integers == self._numbers and len(self._labels) <= MAX_LABELS
        numbers: dict[str, float] = {}
        if self._numbers and not are_labels:
            numbers = {
                "max_absolute": self._largest[0],
                "mean_absolute": self._sums[0] / self._numbers,
                "max_relative": self._largest[1],
                "mean_relative": self._sums[1] / self._numbers,
            }
        only_numbers = self._numbers == self.values and not are_labels
        frequent = () if only_numbers else self._changes.most_common(MAX_CHANGES)
        changes = tuple(LabelChange(json.loads(left), json.loads(right), count) for (left, right), count in frequent)
        return OutputDifference(name, self.values, self.differing, changes=changes, **numbers)


class ComparisonCounter:
    """Counts the answers of two versions to the same instances. Used by one thread."""

    def __init__(self, tolerance: float = RELATIVE) -> None:
        self.tolerance = tolerance
        self.compared = self.equal = 0
        self._outputs: dict[tuple[str, ...], _Output] = {}
        self._examples: list[DifferingInstance] = []

    def add(self, first: int, instances: Sequence[Any], left: Sequence[Any], right: Sequence[Any]) -> None:
        """Count the predictions of some instances, the first of which has this index; all three are equally long."""
        for index, (instance, one, other) in enumerate(zip(instances, left, right, strict=True), first):
            self.compared += 1
            different = self._first_difference(one, other)
            if different is None:
                self.equal += 1
            elif len(self._examples) < MAX_EXAMPLES or index < self._examples[-1].index:
                example = DifferingInstance(index, instance, one, other, place(different.path))
                # Answers arrive in any order; the first instances are kept.
                self._examples = sorted([*self._examples, example], key=lambda each: each.index)[:MAX_EXAMPLES]

    def _first_difference(self, left: Any, right: Any) -> ValuePair | None:
        first = None
        for pair in value_pairs(left, right):
            output = self._outputs.get(pair.output)
            if output is None:
                # Predictions whose keys are all different must not fill the memory.
                key = pair.output if len(self._outputs) < MAX_OUTPUTS else ("…",)
                output = self._outputs.setdefault(key, _Output())
            if not output.add(pair, self.tolerance) and first is None:
                first = pair
        return first

    def outputs(self) -> tuple[OutputDifference, ...]:
        """The outputs so far, in the order of the predictions."""
        return tuple(output.result(_output_name(path)) for path, output in self._outputs.items())

    def examples(self) -> tuple[DifferingInstance, ...]:
        """The differing instances with the lowest indices."""
        return tuple(self._examples)


def summarize_answers(
    version: str, requests: int = 0, seconds: Sequence[float] = (), errors: Sequence[tuple[str, range]] = ()
) -> VersionAnswers:
    """Summarize the latencies of successful requests, and the messages and indices of instances of the failed ones."""
    messages = Counter(message for message, _instances in errors)
    # Answers arrive in any order: the request with the lowest instances is the last that stays.
    lowest = dict(sorted(errors, key=lambda error: -error[1].start))
    frequent = tuple(
        ErrorCount(message, count, lowest[message].start, lowest[message].stop - 1)
        for message, count in messages.most_common(MAX_MESSAGES)
    )
    latencies = {"p50_ms": _percentile(seconds, 0.5), "p95_ms": _percentile(seconds, 0.95)} if seconds else {}
    return VersionAnswers(version, requests, messages.total(), frequent, **latencies)


def _percentile(seconds: Sequence[float], share: float) -> float:
    """The nearest-rank percentile in milliseconds."""
    return round(sorted(seconds)[max(math.ceil(share * len(seconds)), 1) - 1] * 1000, 3)


def _label(value: Any) -> str:
    """A value as JSON to be counted: short scalars as they are, lists and objects as their shape."""
    if isinstance(value, list):
        return json.dumps(_("list of {count}", count=len(value)))
    if isinstance(value, Mapping):
        keys = ", ".join(map(str, value))
        return json.dumps(_("object with {keys}", keys=keys[:MAX_LABEL_CHARS]))
    return json.dumps(value[:MAX_LABEL_CHARS] if isinstance(value, str) else value)


def _output_name(path: tuple[str, ...]) -> str:
    return "".join(part if part == "[]" else f".{part}" for part in path).lstrip(".")

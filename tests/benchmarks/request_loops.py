"""Several ways of doing the same, measured in turns: what else the machine does slows all of them alike."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

LIBRARIES = ("ipython", "scikit-learn", "xgboost", "tensorflow")


@dataclasses.dataclass(frozen=True)
class Way:
    """A way, measured: seconds, one for each round."""

    name: str
    seconds: list[float]

    def __str__(self) -> str:
        return f"{self.name:<52} {spread(self.seconds, duration)}"


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a ratio (or a difference) should be. Missing it is told, and fails nothing: the machine decides, too."""

    least: float = float("-inf")
    most: float = float("inf")

    def told(self, value: float) -> str:
        wanted = f"<= {self.most:g}" if self.most < float("inf") else f">= {self.least:g}"
        return f"goal {wanted}: {'met' if self.least <= value <= self.most else 'MISSED'}"


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int = 5) -> dict[str, Way]:
    """The seconds that each way tells, in rounds of all of them.

    Every round begins with another one. One round before them is not counted: it fills caches and writes bytecode.
    """
    measured: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            taken = ways[name]()
            if number:
                measured[name].append(taken)
    return {name: Way(name, values) for name, values in measured.items()}


def ratio(over: Way, under: Way, goal: Goal | None, floor: Way | None = None) -> str:
    """One line: the ratio in each round (min - median - max), what it should be, and what it were at the floor."""
    found = ratios(over, under)
    wanted = f"; {goal.told(statistics.median(found))}" if goal else ""
    best = f"; {times(statistics.median(ratios(over, floor)))} at the floor" if floor else ""
    return f"  {over.name} / {under.name}: {spread(found, times)}{wanted}{best}"


def ratios(over: Way, under: Way) -> list[float]:
    return [upper / lower for upper, lower in zip(over.seconds, under.seconds, strict=True)]


def spread(values: list[float], written: Callable[[float], str]) -> str:
    return f"{written(min(values))} - {written(statistics.median(values))} - {written(max(values))}"


def times(value: float) -> str:
    return f"{value:,.0f}x" if value >= 20 else f"{value:.2f}x"


def duration(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms" if value < 0.1 else f"{value * 1000:.0f} ms"


def machine() -> str:
    """The machine, its software and how busy it is, in one line."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{os.cpu_count()} x {_processor()}, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{', '.join(f'{name} {_version(name)}' for name in LIBRARIES)}, load {load:.1f}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"

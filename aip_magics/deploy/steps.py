"""The steps of a run as they happen: a context manager that emits started, finished, skipped, failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from aip_magics.errors import AipError
from aip_magics.events import Detached, Event, Failed, Note, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.artifacts import ModelDir

Emit = Callable[[Event], None]


class Step:
    """One step while it runs: it ends with just one of `done`, `skip` or `detach`."""

    def __init__(self, id: str, emit: Emit) -> None:
        self.id = id
        self.emit = emit

    def note(self, text: str, level: Literal["info", "warning"] = "info") -> None:
        self.emit(Note(self.id, text, level))

    def done(self, summary: str, value: Any = None) -> None:
        self.emit(StepFinished(self.id, summary, value))

    def skip(self, reason: str) -> None:
        self.emit(StepSkipped(self.id, reason))

    def detach(self, event: Detached) -> None:
        self.emit(event)


class Steps:
    """Makes steps, and remembers which one runs so that a failure is put down to it."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.current = ""
        from aip_magics.deploy import plan

        self._titles = {step.id: step.title for step in plan.steps()}

    @property
    def title(self) -> str:
        return self._titles.get(self.current, self.current)

    @contextmanager
    def __call__(self, id: str) -> Iterator[Step]:
        self.current = id
        self.emit(StepStarted(id, self._titles[id]))
        yield Step(id, self.emit)

    def skip(self, id: str, reason: str) -> None:
        self.emit(StepSkipped(id, reason))

    def fail(self, error: AipError) -> None:
        self.emit(Failed(self.current, error))


def size(count: int) -> str:
    """`12.3 kB`: a number of bytes for people, in powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def file_summary(model_dir: ModelDir) -> str:
    """`1 file, 12.3 kB: model.joblib (scikit-learn 1.9.1)`."""
    count = len(model_dir.files)
    found = ", ".join(f"{name} {version}" for name, version in model_dir.libraries.items())
    model = f": {model_dir.model_file.name}" if model_dir.model_file else ""
    total = size(model_dir.total_size)
    files = _("1 file, {size}", size=total) if count == 1 else _("{count} files, {size}", count=count, size=total)
    return f"{files}{model}{f' ({found})' if found else ''}"

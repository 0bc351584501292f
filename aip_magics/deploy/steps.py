"""The steps of a run: a context manager that emits an event when a step starts, finishes, is skipped or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from aip_magics.errors import AipError
from aip_magics.events import Detached, Event, Failed, Note, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import ngettext
from aip_magics.wording import size_text

if TYPE_CHECKING:
    from aip_magics.artifacts import ModelDir

Emit = Callable[[Event], None]


class Step:
    """A running step, which ends with exactly one of `done`, `skip` or `detach`."""

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
    """Start steps, and remember the current one so that a failure is attributed to it."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.current = ""
        from aip_magics.deploy import plan

        self._titles = {step.id: step.title for step in plan.steps("model")}

    @property
    def title(self) -> str:
        """The title of the current step."""
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


def file_summary(model_dir: ModelDir) -> str:
    """Summarize a model directory, for example `1 file, 12.3 kB: model.joblib (scikit-learn 1.9.1)`."""
    libraries = ", ".join(f"{name} {version}" for name, version in model_dir.libraries.items())
    model = f": {model_dir.model_file.name}" if model_dir.model_file else ""
    total = size_text(model_dir.total_size)
    files = ngettext("{number} file, {size}", "{number} files, {size}", len(model_dir.files), size=total)
    return f"{files}{model}{f' ({libraries})' if libraries else ''}"

"""One value of every kind that is rendered, made of any texts: the tests fill in harmless, hostile and huge ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aip_magics import errors, spec
from aip_magics.checks.base import Finding, Skipped
from aip_magics.checks.report import Report
from aip_magics.deploy.plan import Choice, PlannedRequest, PlanStep
from aip_magics.events import Detached, Event, Failed, Note, Progress, StepFinished, StepSkipped, StepStarted, Tick
from aip_magics.render import RunState


class SamplePlan:
    """The part of deploy.Plan that is drawn."""

    def __init__(self, text: str, count: int) -> None:
        self.steps = tuple(PlanStep(f"{text}{n}", text) for n in range(count))
        self.choices = tuple(Choice(f"field{n}", text, text) for n in range(count))
        self.requests = tuple(PlannedRequest("POST", f"http://h/{text}", {"name": text, "n": n}) for n in range(count))


def version(text: str, count: int = 1) -> spec.Version:
    return spec.Version(
        name=f"projects/p/models/m/versions/{text}",
        description=text,
        isDefault=True,
        deploymentUri=f"gs://p/{text}/",
        createTime="2024-03-05T06:07:08Z",
        runtimeVersion="2.11",
        pythonVersion="3.7",
        framework="SCIKIT_LEARN",
        machineType="n1-standard-2",
        packageUris=tuple(f"gs://p/{text}{n}.tar.gz" for n in range(count)),
        labels={f"{text}{n}": text for n in range(count)},
        state="FAILED",
        errorMessage=text,
    )


def model(text: str, count: int = 1) -> spec.Model:
    return spec.Model(name=f"projects/p/models/{text}", description=text, defaultVersion=version(text, count))


def operation(text: str, count: int = 1) -> spec.Operation:
    metadata = spec.OperationMetadata(
        operationType="CREATE_VERSION", modelName=f"projects/p/models/{text}", version=version(text, count)
    )
    return spec.Operation(name=f"projects/p/operations/{text}", metadata=metadata, error=spec.Status(9, text))


def finding(text: str, severity: Any = "error") -> Finding:
    return Finding("S21", severity, f"version.{text}", text, text, f"https://example.test/{text}")


def report(text: str, count: int = 1) -> Report:
    severities = ("advice", "error", "warning")
    found = tuple(finding(text, severities[n % 3]) for n in range(3 * count))
    return Report(found, {f"{text}{n}": Skipped(text) for n in range(count)}, ("S1", "S2"))


def events(text: str, count: int = 1) -> list[Event]:
    """Events of all kinds, of a run that fails."""
    steps = [event for n in range(count) for event in _step(f"{text}{n}", text, count)]
    error = errors.PermissionDenied(text, code=403, status="PERMISSION_DENIED", where=text, fix=text)
    return [*steps, StepSkipped("try", text), Tick("try"), Failed("version", error)]


def _step(step: str, text: str, count: int) -> list[Event]:
    notes = [Note(step, text, "warning" if n % 2 else "info") for n in range(min(count, 60))]
    return [StepStarted(step, text), *notes, Progress(step, 1, 2, "files", text), StepFinished(step, text, {text: 1})]


def run(happened: list[Event], title: str = "Deploy iris") -> RunState:
    state = RunState(title)
    for second, event in enumerate(happened):
        state = state.apply(event, float(second))
    return state


def running(text: str, count: int = 1) -> RunState:
    return run([*events(text, count)[:-3], StepStarted("up", text), Progress("up", 3, 7, "bytes", text)], text)


def detached(text: str, count: int = 1) -> RunState:
    return run([*events(text, count)[:-3], Detached("wait", f"projects/p/operations/{text}", text)], text)


def predictions(text: str, count: int = 1) -> dict[str, Any]:
    one = {"class": text, **{f"{text}{n}": n for n in range(min(count, 30))}}
    return {"predictions": [one] * count, "instances": [[text]] * count}


def prediction_error(text: str, count: int = 1) -> errors.PredictionError:
    return errors.PredictionError("INVALID_USER_CODE", text, where=text, fix=text, log=f"{text}\n" * count)


def operation_failed(text: str, count: int = 1) -> errors.OperationFailed:
    return errors.OperationFailed(text * count, operation=operation(text), where=text, fix=text)


# Each makes a value of its kind from a text, with `count` of what there can be many of.
MAKERS: dict[str, Callable[[str, int], Any]] = {
    "version": version,
    "model": model,
    "operation": operation,
    "versions": lambda text, count: [version(text)] * count,
    "models": lambda text, count: [model(text)] * count,
    "operations": lambda text, count: [operation(text)] * count,
    "empty": lambda text, count: [],
    "predictions": predictions,
    "numbers": lambda text, count: {"predictions": list(range(count))},
    "error": lambda text, count: errors.CellError(text * count, where=text, fix=text),
    "checks failed": lambda text, count: errors.ChecksFailed(text, findings=report(text, count).findings),
    "prediction error": prediction_error,
    "operation failed": operation_failed,
    "failed run": lambda text, count: run(events(text, count), text),
    "running": running,
    "detached": detached,
    "report": report,
    "finding": lambda text, count: finding(text),
    "findings": lambda text, count: [finding(text)] * count,
    "plan": SamplePlan,
    "other": lambda text, count: {text: [text] * count},
}

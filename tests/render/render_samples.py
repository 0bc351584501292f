"""One value of every kind that is rendered, made of any texts: the tests fill in harmless, hostile and huge ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from aip_magics import errors, spec
from aip_magics.checks.outcome import Finding, Skipped
from aip_magics.checks.report import Report
from aip_magics.commands.common.history_log import HistoryEntry
from aip_magics.commands.common.traffic_change import Traffic
from aip_magics.commands.config import Configuration
from aip_magics.commands.history import History
from aip_magics.commands.package import PickledFromMain
from aip_magics.commands.resources import Comparison, Served
from aip_magics.commands.server import ServerStatus
from aip_magics.deploy.comparison import (
    DifferingInstance,
    ErrorCount,
    LabelChange,
    OutputDifference,
    PredictionComparison,
    VersionAnswers,
)
from aip_magics.deploy.plan import Plan, PlannedRequest, PlanStep
from aip_magics.events import (
    Detached,
    Event,
    Failed,
    Heartbeat,
    Note,
    Progress,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from aip_magics.render import RunState
from aip_magics.sdist import Package
from aip_magics.serving.export import Container
from aip_magics.serving.probe import ProbeResult
from aip_magics.settings import Sourced
from aip_magics.storage import (
    DownloadPlan,
    GsUri,
    PlannedDownload,
    PlannedRemoval,
    RemoteObject,
    Removal,
    RemovalPlan,
)
from aip_magics.storage.upload.upload_plan import UploadPlan
from aip_magics.targets import Choice


class SamplePlan:
    """The part of deploy.Plan that is drawn."""

    panel_kind = Plan.panel_kind

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
    return [*steps, StepSkipped("try", text), Heartbeat("try"), Failed("version", error)]


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


@dataclasses.dataclass(frozen=True)
class SampleObject:
    """The part of an object in Cloud Storage that is drawn."""

    panel_kind: ClassVar[str] = RemoteObject.panel_kind

    name: str
    generation: int
    crc32c: str
    size: int


class SampleUpload:
    """The part of storage.UploadPlan that is drawn."""

    panel_kind = UploadPlan.panel_kind

    def __init__(self, text: str, count: int) -> None:
        kinds = ("upload", "copy", "remove", "keep")
        self.destination = f"gs://bucket/{text}/"
        self.rows = tuple((kinds[n % 4], f"{text}{n}", n * 1000) for n in range(count))
        self.extra = tuple(SampleObject(text, n, "AAAAAA==", n) for n in range(count))


def served(text: str, count: int) -> Served:
    libraries = {"python": text, **{f"{text}{n}": text for n in range(count)}}
    protection = {"files": True, "network": True, "processes": True, "open": False, "by": text, "why": ""}
    return Served(version(text, count), {"python": text, "libraries": libraries, "protection": protection})


def comparison(text: str, count: int) -> Comparison:
    runtime = served(text, count).runtime
    return Comparison(version(text, count), version(text + "2", 1), runtime, {})


def history(text: str, count: int) -> History:
    place = {"target": text, "project": text}
    return History([HistoryEntry(text, text, outcome, text, text, text, place) for outcome in (text, "done")] * count)


def configuration(text: str, count: int) -> Configuration:
    return Configuration({f"{text}{n}": Sourced(text, text) for n in range(count)}, text)


def pull_plan(text: str, count: int) -> DownloadPlan:
    objects = [RemoteObject(f"{text}{n}", n * 1000, "AAAAAA==", n) for n in range(count)]
    wanted = tuple(PlannedDownload(remote, Path(remote.name), remote.generation % 2 == 1) for remote in objects)
    return DownloadPlan(GsUri("bucket", f"{text}/"), Path(text), wanted)


def removed(text: str, count: int) -> tuple[PlannedRemoval, ...]:
    return tuple(PlannedRemoval("bucket", f"{text}{n}", n * 1000, n + 1) for n in range(count))


def package(text: str, count: int) -> Package:
    return Package(Path(text), text, text, (text,) * count, (text,) * count)


def container(text: str, count: int) -> Container:
    return Container(Path(text), text, text, text, (text,) * count, (text,) * count, count > 1)


def probe_result(text: str, count: int) -> ProbeResult:
    answer = predictions(text, count) if count else None
    return ProbeResult(Path(text), text if count > 1 else "", 1.5 if count else None, answer, (text,) * count, text)


def of_main(text: str, count: int) -> PickledFromMain:
    return PickledFromMain(Path(text), (text,) * count, count < 2, text)


def prediction_comparison(text: str, count: int) -> PredictionComparison:
    changes = tuple(LabelChange(text, {text: [text] * count}, n) for n in range(count))
    outputs = tuple(OutputDifference(f"{text}{n}", count, count, n / 7, 1e-9, 1.0, 1e30, changes) for n in range(count))
    examples = tuple(DifferingInstance(n, [text] * count, text, {text: n}) for n in range(count))
    sides = [
        VersionAnswers(text, count, count, (ErrorCount(text, count, 0, count),) * count, 1.25, ms) for ms in (1e6, None)
    ]
    return PredictionComparison(text, "log", 2 * count, count, 0, 0.1, outputs, examples, *sides)


def traffic(text: str, count: int) -> Traffic:
    split = {f"{text}{n}": 100 // max(count, 1) for n in range(count)}
    return Traffic(f"projects/p/models/{text}", split, {text: 100}, is_recorded=count < 2)


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
    "upload plan": SampleUpload,
    "object": lambda text, count: SampleObject(text, 1, "AAAAAA==", count),
    "objects": lambda text, count: [SampleObject(text, 1, "AAAAAA==", 5)] * count,
    "probabilities": lambda text, count: {"predictions": [{text: [0.25, 0.75]}] * count},
    "served": served,
    "comparison": comparison,
    "prediction comparison": prediction_comparison,
    "traffic": traffic,
    "history": history,
    "configuration": configuration,
    "package": package,
    "container": container,
    "probe": probe_result,
    "pull plan": pull_plan,
    "removal plan": lambda text, count: RemovalPlan((text,), removed(text, count), (text,) * count, (text,) * count),
    "removal": lambda text, count: Removal((text,), removed(text, count), (text,) * count),
    "of main": of_main,
    "statistics": lambda text, count: {"name": text, "requests": count, "latencyMs": {"p50": 1.5}, "nodes": {}},
    "fields": lambda text, count: ServerStatus(True, Path(text), text),
    "other": lambda text, count: {text: [text] * count},
}

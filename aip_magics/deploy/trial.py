"""The local try: the files that would be deployed answer the test instances here, in a worker of this Python."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.checks.context import TrialResult
from aip_magics.deploy import package_uploads
from aip_magics.deploy.plan import Plan
from aip_magics.errors import PredictionError
from aip_magics.storage import Cache, GsUri, fetch_directory, fetch_file
from aip_magics.targets import Target

if TYPE_CHECKING:
    from aip_magics.prediction.worker_spec import WorkerSpec

DOWNLOADS = "downloads"  # below the data directory
_MEASURED_PREDICTIONS = ("Prediction-Preprocess-Time", "Prediction-Engine-Run-Time", "Prediction-Postprocess-Time")
DOWNLOAD_LIMIT = 500 * 1000**2  # bytes of a model that lies in Cloud Storage; more is not worth the wait


@dataclasses.dataclass(frozen=True)
class Trial:
    """A local model directory, the request, the archives of packages. Below `cache` they are installed.

    `trusted`: the user consented to all that loading the model runs; `trusted_modules` are trusted whatever the model.
    `trusted_files` are sha256 digests of what was consented to: packages among them are built whatever that runs.
    """

    model_dir: Path
    body: bytes
    framework: str | None = None
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    cache: Path = Path()
    trusted: bool = False
    trusted_modules: tuple[str, ...] = ()
    trusted_files: frozenset[str] = frozenset()


def build_trial(plan: Plan, target: Target, body: bytes) -> Trial | str:
    """The trial of a plan, with what lies in Cloud Storage downloaded; where that is too much, the reason as a text."""
    version, data_dir = plan.version, target.settings.data_dir
    cache = Cache(data_dir / DOWNLOADS)
    if plan.model_dir is not None:
        model_dir = plan.model_dir.path
    else:
        found = fetch_directory(target.store, GsUri.parse(plan.deployment.origin), cache, DOWNLOAD_LIMIT)
        if isinstance(found, str):
            return found
        model_dir = found
    archives = tuple(
        fetch_file(target.store, package, cache)
        if package_uploads.is_remote(package)
        else package_uploads.local_path(package)
        for package in version.packageUris or ()
    )
    return Trial(model_dir, body, version.framework, archives, version.predictionClass, data_dir)


TrialRunner = Callable[[Trial], TrialResult]


def run_trial_locally(trial: Trial) -> TrialResult:
    """How the model does in a worker of this Python; what it refuses is the `error`."""
    from aip_magics.prediction.local import worker_spec
    from aip_magics.prediction.packages import install
    from aip_magics.prediction.worker_pool import shared

    spec: WorkerSpec | None = None
    try:
        installed: tuple[Path, ...] = ()
        if trial.packages:
            installed = (install(trial.packages, sys.executable, trial.cache, trusted=trial.trusted_files),)
        spec = worker_spec(
            trial.model_dir,
            trial.framework,
            sys.executable,
            installed,
            trial.prediction_class,
            trusted=trial.trusted,
            trusted_modules=trial.trusted_modules,
        )
        answer = json.loads(shared().predict(spec, trial.body))
    except PredictionError as error:
        return _measured(TrialResult(error=error), spec)
    return _measured(TrialResult(predictions=answer["predictions"]), spec)


def _measured(tried: TrialResult, spec: WorkerSpec | None) -> TrialResult:
    """With what the worker that holds the model tells of itself."""
    from aip_magics.prediction.worker_pool import memory_of, shared

    worker = shared().worker(spec) if spec else None
    if worker is None or worker.loaded is None:
        return tried
    parts = [value for name, value in worker.stats.items() if name in _MEASURED_PREDICTIONS]
    return dataclasses.replace(
        tried,
        load_seconds=worker.loaded.load_seconds,
        predict_seconds=sum(parts) / 1e6 if parts else None,
        memory_bytes=memory_of(worker.pid) or None,
    )


def preload_worker(framework: str | None) -> None:
    """Have the framework imported while the files are checked and uploaded. Returns at once."""
    if framework is not None:
        from aip_magics.prediction import warm

        warm(framework, sys.executable)

"""The local trial: run the test instances against the files to deploy, in a local worker process."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.checks.context import TrialResult
from aip_magics.data_directory import DOWNLOADS
from aip_magics.deploy import package_uploads
from aip_magics.deploy.plan import Plan
from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.storage import GsUri, cached_directory, cached_file
from aip_magics.targets import Target

if TYPE_CHECKING:
    from aip_magics.prediction.worker_spec import WorkerSpec

_MEASURED_PREDICTIONS = ("Prediction-Preprocess-Time", "Prediction-Engine-Run-Time", "Prediction-Postprocess-Time")
DOWNLOAD_LIMIT = 500 * 1000**2  # bytes of a model in Cloud Storage; a larger download is not worth the wait


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a local trial runs.

    Attributes:
        model_dir: The local model directory.
        body: The prediction request.
        framework: The framework of the version, or None to detect the framework.
        packages: The archives of the custom code, installed below `cache`.
        prediction_class: The class of a custom prediction routine.
        cache: The directory of installed packages.
        trusted: Whether the user trusts all code that loading the model runs.
        trusted_modules: Modules that are trusted for every model.
        trusted_files: SHA-256 digests of trusted files; packages among them may run code when they are built.
        python: The interpreter of the worker.
        listed_code_only: Whether loading the model runs only code that is known to be harmless.
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
    python: str = sys.executable
    listed_code_only: bool = False


def build_trial(plan: Plan, target: Target, body: bytes) -> Trial | str:
    """Build the trial of a plan and download its files from Cloud Storage; the reason as text if there is none."""
    version, data_dir = plan.version, target.settings.data_dir
    cache = DirectoryCache(data_dir / DOWNLOADS)
    if plan.model_dir is not None:
        if (ignored := plan.model_dir.ignored_models) and not version.predictionClass:
            # Loading takes the first of several model files, which need not be the one that is uploaded.
            return _("a local trial would load {name}, which .gcloudignore excludes", name=ignored[0])
        model_dir = plan.model_dir.path
    else:
        downloaded = cached_directory(target.storage_client, GsUri.parse(plan.deployment.origin), cache, DOWNLOAD_LIMIT)
        if isinstance(downloaded, str):
            return downloaded
        model_dir = downloaded
    archives = tuple(
        cached_file(target.storage_client, package, cache)
        if package_uploads.is_remote(package)
        else package_uploads.local_path(package)
        for package in version.packageUris or ()
    )
    return Trial(model_dir, body, version.framework, archives, version.predictionClass, data_dir)


TrialRunner = Callable[[Trial], TrialResult]


def run_trial_locally(trial: Trial) -> TrialResult:
    """Run a trial in a worker of its Python. A PredictionError becomes the `error` of the result."""
    from aip_magics.prediction.environments import is_environment
    from aip_magics.prediction.local import worker_spec
    from aip_magics.prediction.packages import install
    from aip_magics.prediction.worker_pool import shared

    spec: WorkerSpec | None = None
    try:
        installed: tuple[Path, ...] = ()
        if trial.packages:
            package_dir = install(
                trial.packages,
                trial.python,
                trial.cache,
                trusted=trial.trusted_files,
                with_requirements=is_environment(trial.python, trial.cache),
            )
            installed = (package_dir,)
        spec = worker_spec(
            trial.model_dir,
            trial.framework,
            trial.python,
            installed,
            trial.prediction_class,
            trusted=trial.trusted,
            trusted_modules=trial.trusted_modules,
        )
        answer = json.loads(shared().predict(spec, trial.body))
    except PredictionError as error:
        return _with_measurements(TrialResult(error=error), spec)
    return _with_measurements(TrialResult(predictions=answer["predictions"]), spec)


def _with_measurements(result: TrialResult, spec: WorkerSpec | None) -> TrialResult:
    """Add the times and the memory that the worker reports."""
    from aip_magics.prediction.process_memory import memory_of
    from aip_magics.prediction.worker_pool import shared

    worker = shared().worker(spec) if spec else None
    if worker is None or worker.loaded is None:
        return result
    times = [value for name, value in worker.stats.items() if name in _MEASURED_PREDICTIONS]
    return dataclasses.replace(
        result,
        load_seconds=worker.loaded.load_seconds,
        predict_seconds=sum(times) / 1e6 if times else None,
        memory_bytes=memory_of(worker.pid) or None,
    )


def preload_worker(framework: str | None) -> None:
    """Import the framework in the background while the files are checked and uploaded."""
    if framework is not None:
        from aip_magics.prediction import preload

        preload(framework, sys.executable)

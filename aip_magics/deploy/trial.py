"""The local try: the files that would be deployed answer the test instances here, in a worker of this Python."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from aip_magics.deploy import packages
from aip_magics.deploy.plan import Plan
from aip_magics.storage import Cache, GsUri, fetch_directory, fetch_file
from aip_magics.targets import Target

DOWNLOADS = "downloads"  # below the data directory
DOWNLOAD_LIMIT = 500 * 1000**2  # bytes of a model that lies in Cloud Storage; more is not worth the wait


@dataclasses.dataclass(frozen=True)
class Trial:
    """A local model directory, the request, the archives of packages. Below `cache` they are installed."""

    model_dir: Path
    body: bytes
    framework: str | None = None
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    cache: Path = Path()


def trial_of(plan: Plan, target: Target, body: bytes) -> Trial | str:
    """The trial of a plan, with what lies in Cloud Storage downloaded; where that is too much, the reason as a text."""
    version, data_dir = plan.version, target.settings.data_dir
    cache = Cache(data_dir / DOWNLOADS)
    if plan.model_dir is not None:
        model_dir = plan.model_dir.path
    else:
        found = fetch_directory(target.storage, GsUri.parse(plan.deployment.origin), cache, DOWNLOAD_LIMIT)
        if isinstance(found, str):
            return found
        model_dir = found
    archives = tuple(
        fetch_file(target.storage, package, cache) if packages.is_remote(package) else packages.local_path(package)
        for package in version.packageUris or ()
    )
    return Trial(model_dir, body, version.framework, archives, version.predictionClass, data_dir)


def predict_here(trial: Trial) -> dict[str, Any]:
    """`{"predictions": […]}` by the model itself. PredictionError where it does not load or predict."""
    from aip_magics.prediction.local import local_predict
    from aip_magics.prediction.packages import install

    installed = (install(trial.packages, sys.executable, trial.cache),) if trial.packages else ()
    return local_predict(
        trial.model_dir,
        body=trial.body,
        framework=trial.framework,
        packages=installed,
        prediction_class=trial.prediction_class,
    )


def warm_here(framework: str | None) -> None:
    """Have the framework imported while the files are checked and uploaded. Returns at once."""
    if framework is not None:
        from aip_magics.prediction import warm

        warm(framework, sys.executable)

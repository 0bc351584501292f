"""Local prediction: what the service would answer, from a model directory on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aip_magics.artifacts import resolve_export
from aip_magics.errors import FieldError, InstancesError, ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import instances as forms
from aip_magics.prediction.worker_pool import WorkerPool, shared
from aip_magics.prediction.worker_spec import NO_PRELOAD, WorkerSpec


def local_predict(
    model_dir: Path | str,
    instances: object = None,
    *,
    body: bytes | None = None,
    framework: str | None = None,
    signature_name: str | None = None,
    python: str = sys.executable,
    packages: Sequence[Path | str] = (),
    prediction_class: str | None = None,
    trusted: bool = False,
    trusted_modules: Sequence[str] = (),
    deadline: float = 60.0,
    pool: WorkerPool | None = None,
) -> dict[str, Any]:
    """Predict with the model in a directory, in a worker process of the interpreter `python`.

    Give `instances` (a list, array or DataFrame) or `body` (the bytes of a whole request). `framework` is the API's
    name or gcloud's; None lets the files decide. An export base with folders named by a time stands for the newest
    complete one. `packages` are directories of installed packages with the model's own code; `prediction_class` is the
    routine `module.Class` that predicts (no `framework` then). A model that is not `trusted` may name listed globals
    only, those of its `packages`, and those of `trusted_modules`. `deadline` is in seconds. The worker stays loaded in
    `pool` (this process's own if None) for the next call.

    Returns `{"predictions": [...]}`, one for each instance, in order. Errors: ModelDirError, InstancesError,
    FieldError, PredictionError (the model's or the request's fault; TrustError where it is not trusted), WorkerError
    (its process died or passed the deadline).
    """
    if (body is None) == (instances is None):
        raise InstancesError(_("give either instances or a body"), where="instances", fix=_("one of the two"))
    if body is None:
        body = forms.request_body(instances, signature_name)
    elif signature_name is not None:
        body = forms.encode({**forms.parse_json_request(body, "body"), "signature_name": signature_name})
    spec = worker_spec(
        model_dir, framework, python, packages, prediction_class, trusted=trusted, trusted_modules=trusted_modules
    )
    answer = (pool or shared()).predict(spec, body, deadline)
    predictions: dict[str, Any] = json.loads(answer)
    return predictions


def worker_spec(
    model_dir: Path | str,
    framework: str | None = None,
    python: str = sys.executable,
    packages: Sequence[Path | str] = (),
    prediction_class: str | None = None,
    *,
    trusted: bool = False,
    trusted_modules: Sequence[str] = (),
) -> WorkerSpec:
    """What is to predict. ModelDirError; FieldError for a framework beside a routine, as the API has it."""
    path, name = directory(model_dir), framework_name(framework)
    if prediction_class and name:
        text = _(
            "a routine ({prediction_class}) has no framework, but {name} is given",
            prediction_class=prediction_class,
            name=name,
        )
        raise FieldError(text, where="framework", fix=_("leave framework out"))
    if not prediction_class and name in (None, "TENSORFLOW"):
        path = resolve_export(path).path
    directories = tuple(Path(package).resolve() for package in packages)
    for place in directories:
        if not place.is_dir():
            raise FieldError(
                _("this is no directory of installed packages"), where=str(place), fix=_("install it first")
            )
    return WorkerSpec(
        path,
        name,
        python,
        packages=directories,
        prediction_class=prediction_class or None,
        trusted=trusted,
        trusted_modules=tuple(trusted_modules),
    )


def warm(
    framework: str | None,
    python: str = sys.executable,
    *,
    prediction_class: str | None = None,
    pool: WorkerPool | None = None,
) -> bool:
    """Have `framework` imported by the time a model is to be loaded. Returns at once; nothing of a model is run.

    False if there is nothing to import, or where processes cannot be forked.
    """
    name = NO_PRELOAD if prediction_class else framework_name(framework)
    return name is not None and (pool or shared()).fork_servers.preload(python, name)


def directory(model_dir: Path | str) -> Path:
    """The local directory that is meant: a model's file stands for its directory. ModelDirError if there is none."""
    if str(model_dir).startswith("gs:"):
        raise ModelDirError(
            _("a model in Cloud Storage cannot be tried here"),
            where=str(model_dir),
            fix=_("download the directory first"),
        )
    path = Path(model_dir)
    if path.is_file():
        path = path.parent
    if not path.is_dir():
        raise ModelDirError(
            _("the model directory does not exist"), where=str(path), fix=_("name an existing directory")
        )
    return path


def framework_name(framework: str | None) -> str | None:
    """The API's name of a framework: scikit-learn is SCIKIT_LEARN. None for one that is not specified."""
    name = (framework or "").upper().replace("-", "_")
    return None if name in ("", "FRAMEWORK_UNSPECIFIED") else name

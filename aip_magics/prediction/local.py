"""Local prediction: predict with a local model directory as the service would."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aip_magics.artifacts import resolve_export
from aip_magics.artifacts.facts import ModelInputs
from aip_magics.errors import FieldError, InstancesError, ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.frames import column_names
from aip_magics.prediction.instances import encode, parse_json_request, request_body
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

    The worker stays loaded in the pool for the next call.

    Args:
        model_dir: the model directory, or a file in it. For the base directory of timestamped exports, the newest
            complete export is used.
        instances: a list, an array or a DataFrame, whose columns are arranged by name if the model knows the names;
            exclusive with `body`.
        body: the bytes of a whole predict request.
        framework: the framework's name in the API or in gcloud; None detects the framework from the model files.
        signature_name: the signature of a SavedModel.
        python: the interpreter that runs the worker.
        packages: directories of installed packages with the model's own code.
        prediction_class: the prediction routine, `module.Class`; exclusive with `framework`.
        trusted: whether the model may use any global. Otherwise only listed globals, those of `packages` and those of
            `trusted_modules` are allowed.
        trusted_modules: modules whose globals an untrusted model may use.
        deadline: seconds to load the model and predict.
        pool: the pool of workers; None uses the pool of this process.

    Returns:
        `{"predictions": [...]}`: one prediction per instance, in order.

    Raises:
        ModelDirError: the model directory does not exist.
        InstancesError: the instances cannot be sent, or the columns of a DataFrame are not those of the model.
        FieldError: a field or a package directory is invalid.
        PredictionError: the model or the request is faulty; TrustError if the model is not trusted.
        WorkerError: the worker process died or timed out.
    """
    if (body is None) == (instances is None):
        raise InstancesError(
            _("exactly one of instances and body is required"),
            where="instances",
            fix=_("pass either instances or body"),
        )
    if body is None:
        named = column_names(instances) and not prediction_class
        body = request_body(instances, signature_name, inputs=local_inputs(model_dir) if named else None)
    elif signature_name is not None:
        body = encode({**parse_json_request(body, "body"), "signature_name": signature_name})
    spec = worker_spec(
        model_dir, framework, python, packages, prediction_class, trusted=trusted, trusted_modules=trusted_modules
    )
    answer = (pool or shared()).predict(spec, body, deadline)
    predictions: dict[str, Any] = json.loads(answer)
    return predictions


def local_inputs(model_dir: Path | str) -> ModelInputs:
    """Read the names of a local model's inputs from its files. ModelDirError if the model directory does not exist."""
    from aip_magics.artifacts.model_dir import inspect_model_dir
    from aip_magics.artifacts.model_inputs import model_inputs

    return model_inputs(inspect_model_dir(resolve_export(resolve_model_dir(model_dir)).path))


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
    """Build the specification of the worker for a model; the arguments are those of `local_predict`.

    Raises:
        ModelDirError: the model directory does not exist.
        FieldError: a package directory does not exist, or a routine is combined with a framework (as in the API).
    """
    path, name = resolve_model_dir(model_dir), framework_name(framework)
    if prediction_class and name:
        text = _(
            "framework {name} cannot be combined with the prediction routine {prediction_class}",
            prediction_class=prediction_class,
            name=name,
        )
        raise FieldError(text, where="framework", fix=_("omit framework"))
    if not prediction_class and name in (None, "TENSORFLOW"):
        path = resolve_export(path).path
    directories = tuple(Path(package).resolve() for package in packages)
    for package_dir in directories:
        if not package_dir.is_dir():
            raise FieldError(
                _("the directory of installed packages does not exist"),
                where=str(package_dir),
                fix=_("install the package first"),
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


def preload(
    framework: str | None,
    python: str = sys.executable,
    *,
    prediction_class: str | None = None,
    pool: WorkerPool | None = None,
) -> bool:
    """Start importing `framework` in the background, before a model is loaded.

    Returns at once and runs no code of a model.

    Returns:
        False if there is nothing to import or this system cannot fork processes.
    """
    name = NO_PRELOAD if prediction_class else framework_name(framework)
    return name is not None and (pool or shared()).fork_servers.preload(python, name)


def resolve_model_dir(model_dir: Path | str) -> Path:
    """Resolve a local model directory, or the directory of a model file. Raises ModelDirError if it does not exist."""
    if str(model_dir).startswith("gs:"):
        raise ModelDirError(
            _("models in Cloud Storage cannot be used for local prediction"),
            where=str(model_dir),
            fix=_("download the model directory first"),
        )
    path = Path(model_dir)
    if path.is_file():
        path = path.parent
    if not path.is_dir():
        raise ModelDirError(
            _("the model directory does not exist"), where=str(path), fix=_("specify an existing directory")
        )
    return path


def framework_name(framework: str | None) -> str | None:
    """Get the API's name of a framework (SCIKIT_LEARN for scikit-learn); None if it is not specified."""
    name = (framework or "").upper().replace("-", "_")
    return None if name in ("", "FRAMEWORK_UNSPECIFIED") else name

"""Load a model from its directory: choose the file and the framework, and report what goes wrong."""

# ruff: noqa: UP032

import importlib
import os
import pickle
import struct
import sys
from typing import Any

from . import reader_patches
from .allowed_globals import AllowedGlobals
from .errors import ModelError, _, class_name, error_text
from .hints import ANOTHER_RELEASE, hint_for, hint_for_type
from .models import SklearnModel, XgboostModel
from .routine import open_routine
from .tensorflow_model import open_saved_model

PROTOCOL_ADVICE = (
    " Please make sure the model was exported using python {}."
    " Otherwise, please specify the correct 'python_version' parameter when deploying the model."
)
BOOSTERS = (b"gbtree", b"gblinear", b"dart")
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "model.bst", "model.joblib", "model.pkl")


def open_model(request: "dict[str, Any]") -> "Any":
    """Load the model of a `load` request: a routine, or a model of a framework."""
    sys.path[:0] = request.get("packages") or []
    importlib.invalidate_caches()
    model_dir, framework = request["model_dir"], request.get("framework")
    framework = framework or ("" if request.get("prediction_class") else detect(model_dir))
    if request.get("globals") and framework != "TENSORFLOW":
        packages, modules = request.get("packages") or [], request.get("trusted_modules") or []
        reader_patches.install(AllowedGlobals(request["globals"], packages, modules))
    if request.get("prediction_class"):
        decodes = framework == "TENSORFLOW"
        return open_routine(request["prediction_class"], model_dir, request.get("package_uris") or [], decodes)
    if framework == "TENSORFLOW":
        return open_saved_model(model_dir, request.get("threads") or 1, request.get("graph_ops"))
    return open_booster(model_dir) if framework == "XGBOOST" else open_estimator(model_dir, framework)


def open_booster(model_dir: str) -> XgboostModel:
    found = load_pickled(model_dir)
    booster = load_bst(model_dir) if found is None else found
    if booster is None:
        raise missing("Could not find model.joblib, model.pkl, or model.bst in " + model_dir)
    return XgboostModel(checked(booster, "xgboost", "xgboost model"))


def open_estimator(model_dir: str, framework: str) -> SklearnModel:
    """Load a pickled model. With `framework` EITHER, the class decides between scikit-learn and XGBoost."""
    if framework not in ("SCIKIT_LEARN", "EITHER"):
        text = "Unknown framework {}.".format(framework)
        raise ModelError("FAILED_TO_LOAD_MODEL", text, _("use TENSORFLOW, SCIKIT_LEARN or XGBOOST"))
    model = load_pickled(model_dir)
    if model is None:
        raise missing("Could not find either model.joblib or model.pkl in " + model_dir)
    module = type(model).__module__
    if framework == "EITHER" and "sklearn" not in module and "xgboost" in module:
        return XgboostModel(model)
    kinds = "sklearn model or pipeline" if framework == "SCIKIT_LEARN" else "sklearn model, xgboost model or pipeline"
    return SklearnModel(checked(model, "sklearn", kinds))


def detect(model_dir: str) -> str:
    """Detect the framework by file names; EITHER for a pickle, whose class decides."""
    found = [name for name in MODEL_FILES if os.path.exists(os.path.join(model_dir, name))]
    if len(found) > 1:
        text = "Multiple model files are found in the model_path: " + model_dir
        raise ModelError("FAILED_TO_LOAD_MODEL", text, _("keep one of {names}", names=", ".join(found)))
    if not found:
        raise missing("Could not find any of {} in {}".format(", ".join(MODEL_FILES), model_dir))
    return {"model.bst": "XGBOOST", "model.joblib": "EITHER", "model.pkl": "EITHER"}.get(found[0], "TENSORFLOW")


def missing(text: str) -> ModelError:
    return ModelError(
        "FAILED_TO_LOAD_MODEL", text, _("put the file directly into the model directory, with exactly that name")
    )


def checked(model: "Any", library: str, kinds: str) -> "Any":
    """The model, if the name of its class's module contains the library, which is how the service checks it."""
    if library in type(model).__module__:
        return model
    text = "Invalid model type detected: {}. Please make sure the model file is an exported {}."
    fix = hint_for_type(model) if library == "sklearn" else ""
    raise ModelError("FAILED_TO_LOAD_MODEL", text.format(class_name(model), kinds), fix)


def load_pickled(model_dir: str) -> "Any":
    """Load the object in model.joblib, or else model.pkl; None if neither exists."""
    for name, load in (("model.joblib", load_joblib), ("model.pkl", load_pickle)):
        path = os.path.join(model_dir, name)
        if os.path.exists(path):
            try:
                return load(path)
            except ModelError:
                raise
            except BaseException as error:  # a pickle can raise anything, even SystemExit
                raise unloadable(path, error) from error
    return None


def load_joblib(path: str) -> "Any":
    try:
        return import_joblib().load(path)
    except KeyError:
        # As on the service: this handles a raw booster file named model.joblib.
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(path)
        return booster


def import_joblib() -> "Any":
    found = reader_patches.find_joblib()
    if found is None:
        fix = _("install {library} for {python}", library="joblib", python=sys.executable)
        raise ModelError("FAILED_TO_LOAD_MODEL", "Could not import joblib module.", fix)
    return found


def load_pickle(path: str) -> "Any":
    with open(path, "rb") as file:
        return pickle.load(file)


def load_bst(model_dir: str) -> "Any":
    path = os.path.join(model_dir, "model.bst")
    if not os.path.exists(path):
        return None
    try:
        import xgboost

        return xgboost.Booster(model_file=path)
    except Exception as error:
        found = unloadable(path, error)
        found.fix = found.fix or binary_hint(path)
        raise found from error


def binary_hint(path: str) -> str:
    """The fix for a booster in the binary format, which XGBoost 3.1 removed; empty for another file."""
    with open(path, "rb") as file:
        head = file.read(1024)
    # Before 1.0 the format has no mark, but the name of the booster after its length.
    named = any(struct.pack("<Q", len(name)) + name in head for name in BOOSTERS)
    return ANOTHER_RELEASE if head.startswith(b"binf") or named else ""


def unloadable(path: str, error: BaseException) -> ModelError:
    text = "Could not load the model: {}. {}.".format(path, error_text(error))
    if "unsupported pickle protocol" in str(error):
        text += PROTOCOL_ADVICE.format(sys.version_info[0])
    return ModelError("FAILED_TO_LOAD_MODEL", text, hint_for(error))

"""From a model directory to a model that predicts: which file, which framework, what can go wrong."""

# ruff: noqa: UP032

import importlib
import os
import pickle
import sys
from typing import Any

from . import reader_patches
from .allowed_globals import AllowedGlobals
from .errors import ModelError, class_name, error_text
from .hints import hint_for
from .models import SklearnModel, XgboostModel
from .routine import open_routine
from .tensorflow_model import open_saved_model

PROTOCOL_ADVICE = (
    " Please make sure the model was exported using python {}."
    " Otherwise, please specify the correct 'python_version' parameter when deploying the model."
)
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "model.bst", "model.joblib", "model.pkl")


def open_model(wanted: "dict[str, Any]") -> "Any":
    """The model that a `load` request wants, ready to predict: a routine, or a model of a framework."""
    sys.path[:0] = wanted.get("packages") or []
    importlib.invalidate_caches()
    model_dir, framework = wanted["model_dir"], wanted.get("framework")
    framework = framework or ("" if wanted.get("prediction_class") else detect(model_dir))
    if wanted.get("globals") and framework != "TENSORFLOW":
        packages, modules = wanted.get("packages") or [], wanted.get("trusted_modules") or []
        reader_patches.install(AllowedGlobals(wanted["globals"], packages, modules))
    if wanted.get("prediction_class"):
        decodes = framework == "TENSORFLOW"
        return open_routine(wanted["prediction_class"], model_dir, wanted.get("package_uris") or [], decodes)
    if framework == "TENSORFLOW":
        return open_saved_model(model_dir, wanted.get("threads") or 1, wanted.get("graph_ops"))
    return open_booster(model_dir) if framework == "XGBOOST" else open_estimator(model_dir, framework)


def open_booster(model_dir: str) -> XgboostModel:
    found = load_pickled(model_dir)
    booster = load_bst(model_dir) if found is None else found
    if booster is None:
        raise missing("Could not find model.joblib, model.pkl, or model.bst in " + model_dir)
    return XgboostModel(checked(booster, "xgboost", "xgboost model"))


def open_estimator(model_dir: str, framework: str) -> SklearnModel:
    """`framework` SCIKIT_LEARN, or EITHER: the object decides between it and XGBoost."""
    if framework not in ("SCIKIT_LEARN", "EITHER"):
        text = "Framework {} is not known.".format(framework)
        raise ModelError("FAILED_TO_LOAD_MODEL", text, "one of TENSORFLOW, SCIKIT_LEARN, XGBOOST")
    model = load_pickled(model_dir)
    if model is None:
        raise missing("Could not find either model.joblib or model.pkl in " + model_dir)
    module = type(model).__module__
    if framework == "EITHER" and "sklearn" not in module and "xgboost" in module:
        return XgboostModel(model)
    kinds = "sklearn model or pipeline" if framework == "SCIKIT_LEARN" else "sklearn model, xgboost model or pipeline"
    return SklearnModel(checked(model, "sklearn", kinds))


def detect(model_dir: str) -> str:
    """The framework the file names tell; EITHER for a pickle, whose object decides."""
    found = [name for name in MODEL_FILES if os.path.exists(os.path.join(model_dir, name))]
    if len(found) > 1:
        text = "Multiple model files are found in the model_path: " + model_dir
        raise ModelError("FAILED_TO_LOAD_MODEL", text, "keep one of " + ", ".join(found))
    if not found:
        raise missing("Could not find any of {} in {}".format(", ".join(MODEL_FILES), model_dir))
    return {"model.bst": "XGBOOST", "model.joblib": "EITHER", "model.pkl": "EITHER"}.get(found[0], "TENSORFLOW")


def missing(text: str) -> ModelError:
    return ModelError(
        "FAILED_TO_LOAD_MODEL", text, "the file must lie directly in the directory and have exactly that name"
    )


def checked(model: "Any", library: str, kinds: str) -> "Any":
    """The model, if its class comes from the library: the service looks for the name in the class's module."""
    if library in type(model).__module__:
        return model
    text = "Invalid model type detected: {}. Please make sure the model file is an exported {}."
    raise ModelError("FAILED_TO_LOAD_MODEL", text.format(class_name(model), kinds))


def load_pickled(model_dir: str) -> "Any":
    """The object in model.joblib or else model.pkl; None without either."""
    for name, load in (("model.joblib", load_joblib), ("model.pkl", load_pickle)):
        path = os.path.join(model_dir, name)
        if os.path.exists(path):
            try:
                return load(path)
            except ModelError:
                raise
            except BaseException as error:  # a pickle can raise anything, SystemExit too
                raise unloadable(path, error) from error
    return None


def load_joblib(path: str) -> "Any":
    try:
        return import_joblib().load(path)
    except KeyError:
        # As the service: a raw booster file that was named model.joblib ends here.
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(path)
        return booster


def import_joblib() -> "Any":
    found = reader_patches.joblib()
    if found is None:
        fix = "install joblib for " + sys.executable
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
        raise unloadable(path, error) from error


def unloadable(path: str, error: BaseException) -> ModelError:
    text = "Could not load the model: {}. {}.".format(path, error_text(error))
    if "unsupported pickle protocol" in str(error):
        text += PROTOCOL_ADVICE.format(sys.version_info[0])
    return ModelError("FAILED_TO_LOAD_MODEL", text, hint_for(error))

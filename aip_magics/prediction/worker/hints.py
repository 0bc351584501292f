"""Fixes for the most common reasons why a model or its code does not load or predict."""

# ruff: noqa: UP032

import importlib.util
import os
import re
import sys
from typing import Any

from .errors import Text, _

ANOTHER_RELEASE = _("add --env model, which loads the model with the library versions that saved it")
# Import packages and distributions that pickles refer to by the names of their internal modules.
INTERNAL = ("sklearn", "xgboost", "numpy", "scipy", "pandas", "tensorflow")
COMPILED = ("_loss",)  # how scikit-learn's compiled losses named their module before 1.9
ABSENT_NAME = re.compile(r"[Cc]an't get attribute '[^']+' on <module '({})\.".format("|".join(INTERNAL)))
ABSENT_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
UNREADABLE = (
    "node array from the pickle has an incompatible dtype",  # scikit-learn before 1.3, with a tree
    "header[0] == '{'",  # a pickled booster in XGBoost's binary format, which 3.1 removed
)
FROM_NOTEBOOK = re.compile(r"[Cc]an't get attribute '([^']+)' on <module '__main__'")


def hint_for(error: BaseException) -> "str | Text":
    """The fix for an error; empty if none is known."""
    text = str(error)
    if isinstance(error, ImportError) and "numpy._core" in text:
        return _("use a Python with NumPy 2, or train the model with NumPy 1: the model was saved with NumPy 2")
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] in ("dill", "__builtin__"):
        # dill's name for the variables of a notebook is __builtin__.__main__
        return _(
            "save the model with joblib or pickle instead of dill, and its functions in a module whose package"
            " %aip_package my_module.py builds"
        )
    if is_of_another_release(error):
        return ANOTHER_RELEASE
    if isinstance(error, ImportError) and error.name:
        return _(
            "install the package of {module} for {python}, or add a package that contains the module (packageUris,"
            " %aip_package)",
            module=error.name,
            python=sys.executable,
        )
    match = FROM_NOTEBOOK.search(text)
    if match:
        return _(
            "move {name} from the notebook into a module, import the module, save the model again, and add the package"
            " that %aip_package my_module.py builds",
            name=match.group(1),
        )
    if isinstance(error, FileNotFoundError) and error.filename:
        name = os.path.basename(str(error.filename))
        path = "os.path.join(model_dir, {!r})".format(name)
        return _("put {name} into the model directory and open the file as {path}", name=name, path=path)
    return ""


def hint_for_type(model: "Any") -> "str | Text":
    """The fix for a model that the service refuses for its class; empty for what is no model."""
    if _has(model, "fit_resample") or not _has(model, "predict"):
        return ""
    if _has(model, "steps"):
        steps = "[step for step in model.steps if not hasattr(step[1], 'fit_resample')]"
        line = "sklearn.pipeline.Pipeline({})".format(steps)
        return _("save its steps in a pipeline of scikit-learn: {line}", line=line)
    return _("save the model in a pipeline of scikit-learn: {line}", line="sklearn.pipeline.make_pipeline(model)")


def hint_for_predict(model: "Any", error: BaseException) -> "str | Text":
    """The fix for a model that cannot predict, whatever the instances are; empty if it may."""
    if type(error).__name__ == "NotFittedError":
        return _("fit the model before saving it: {line}", line="model.fit(X, y)")
    if _has(model, "predict"):
        return ""
    if _has(model, "refit") and model.refit is False:
        return _("fit the model with refit=True: {line}", line="model.set_params(refit=True).fit(X, y)")
    return _("save a model that has a predict method, such as a pipeline that ends in a predictor")


def _has(model: "Any", name: str) -> bool:
    """Whether a model has an attribute; one that cannot be asked has not."""
    try:
        return hasattr(model, name)
    except Exception:  # noqa: BLE001 - the model's own code may raise anything
        return False


def is_of_another_release(error: BaseException) -> bool:
    """Whether a model does not load because another release of its library saved it."""
    text = str(error)
    if isinstance(error, ImportError):
        top, _, below = (error.name or "").partition(".")
        return top in COMPILED or (bool(below) and top in INTERNAL and is_importable(top))
    return bool(ABSENT_NAME.search(text)) or any(part in text for part in UNREADABLE)


def is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def release_hint(error: BaseException) -> "str | Text":
    """The fix if another release of the library saved the model that failed to predict; empty if not.

    An estimator of scikit-learn without an attribute that its own code sets was pickled by another release.
    """
    match = ABSENT_ATTRIBUTE.match(str(error)) if isinstance(error, AttributeError) else None
    if match is None:
        return ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame if trace else None
    if frame is None or not frame.f_globals.get("__name__", "").startswith("sklearn."):
        return ""
    if match.groups() == ("str", "transform"):  # 'passthrough', which releases before 1.4 keep as text
        return ANOTHER_RELEASE
    owner = type(frame.f_locals.get("self"))
    own = owner.__module__.startswith("sklearn.") and owner.__name__ == match.group(1)
    return ANOTHER_RELEASE if own else ""

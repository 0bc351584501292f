"""Fixes for the most common reasons why a model or its code does not load."""

# ruff: noqa: UP032

import os
import re
import sys
from typing import Any

FROM_NOTEBOOK = re.compile(r"[Cc]an't get attribute '([^']+)' on <module '__main__'")


def hint_for(error: BaseException) -> str:
    """The fix for an error; empty if none is known."""
    text = str(error)
    if isinstance(error, ImportError) and "numpy._core" in text:
        return "use a Python with NumPy 2, or train the model with NumPy 1: the model was saved with NumPy 2"
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] in ("dill", "__builtin__"):
        # dill's name for the variables of a notebook is __builtin__.__main__
        return (
            "save the model with joblib or pickle instead of dill, and its functions in a module whose package"
            " %aip_package my_module.py builds"
        )
    if isinstance(error, ImportError) and error.name:
        text = "install the package of {} for {}, or add a package that contains the module (packageUris, %aip_package)"
        return text.format(error.name, sys.executable)
    match = FROM_NOTEBOOK.search(text)
    if match:
        text = (
            "move {} from the notebook into a module, import the module, save the model again, and add the package that"
            " %aip_package my_module.py builds"
        )
        return text.format(match.group(1))
    if isinstance(error, FileNotFoundError) and error.filename:
        name = os.path.basename(str(error.filename))
        return "put {} into the model directory and open the file as os.path.join(model_dir, {!r})".format(name, name)
    return ""


def hint_for_type(model: "Any") -> str:
    """The fix for a model that the service refuses for its class; empty for what is no model."""
    if _has(model, "fit_resample") or not _has(model, "predict"):
        return ""
    if _has(model, "steps"):
        steps = "[step for step in model.steps if not hasattr(step[1], 'fit_resample')]"
        return "save its steps in a pipeline of scikit-learn: sklearn.pipeline.Pipeline({})".format(steps)
    return "save the model in a pipeline of scikit-learn: sklearn.pipeline.make_pipeline(model)"


def hint_for_predict(model: "Any", error: BaseException) -> str:
    """The fix for a model that cannot predict, whatever the instances are; empty if it may."""
    if type(error).__name__ == "NotFittedError":
        return "fit the model before saving it: model.fit(X, y)"
    if _has(model, "predict"):
        return ""
    if _has(model, "refit") and model.refit is False:
        return "fit the model with refit=True: model.set_params(refit=True).fit(X, y)"
    return "save a model that has a predict method, such as a pipeline that ends in a predictor"


def _has(model: "Any", name: str) -> bool:
    """Whether a model has an attribute; one that cannot be asked has not."""
    try:
        return hasattr(model, name)
    except Exception:  # noqa: BLE001 - the model's own code may raise anything
        return False

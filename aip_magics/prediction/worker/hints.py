"""Fixes for the most common reasons why a model or its code does not load."""

# ruff: noqa: UP032

import os
import re
import sys

FROM_NOTEBOOK = re.compile(r"[Cc]an't get attribute '([^']+)' on <module '__main__'")


def hint_for(error: BaseException) -> str:
    """The fix for an error; empty if none is known."""
    text = str(error)
    if isinstance(error, ImportError) and "numpy._core" in text:
        return "use a Python with NumPy 2, or train the model with NumPy 1: the model was saved with NumPy 2"
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

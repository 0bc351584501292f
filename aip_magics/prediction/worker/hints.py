"""How to mend the commonest reasons why a model or its code does not load."""

# ruff: noqa: UP032

import os
import re
import sys

FROM_NOTEBOOK = re.compile(r"[Cc]an't get attribute '([^']+)' on <module '__main__'")


def hint_for(error: BaseException) -> str:
    """What to do about it; empty where nobody knows."""
    text = str(error)
    if isinstance(error, ImportError) and "numpy._core" in text:
        return "the model was saved with NumPy 2; serve it with a Python that has NumPy 2, or train it with NumPy 1"
    if isinstance(error, ImportError) and error.name:
        text = "install the package of {} for {}, or give the package that has it (packageUris, %aip_package)"
        return text.format(error.name, sys.executable)
    lost = FROM_NOTEBOOK.search(text)
    if lost:
        text = (
            "{} was defined in the notebook: move it into a module, import it from there, save the model again, and"
            " give the package that %aip_package my_module.py builds"
        )
        return text.format(lost.group(1))
    if isinstance(error, FileNotFoundError) and error.filename:
        name = os.path.basename(str(error.filename))
        return "put {} into the model directory and open it by os.path.join(model_dir, {!r})".format(name, name)
    return ""

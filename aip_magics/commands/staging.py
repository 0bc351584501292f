"""A model that is a variable of the notebook: saved in the form that the service takes, in a directory of its own.

Nothing is imported for it: an object of a library is only there when its library is.
"""

from __future__ import annotations

import contextlib
import inspect
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aip_magics.errors import OptionError
from aip_magics.storage import Cache
from aip_magics.storage.cache import content_digest

Save = Callable[[Path], None]


def stage(obj: object, directory: Path, name: str = "") -> Path:
    """Save a model object below `directory` and return the model directory: the same content, the same directory.

    An xgboost.Booster becomes `model.bst`, a Keras model or tf.Module a SavedModel, any other object with `fit` and
    `predict` (scikit-learn's interface) `model.joblib`, or `model.pkl` without joblib. `name` is the variable's, and
    the name of the directory. OptionError where it is no model, or cannot be saved.
    """
    name = name or type(obj).__name__
    save = _saver(obj)
    if save is None:
        raise OptionError(
            f"{name} is a {_class_name(obj)}, not a model",
            where=f"${name}",
            fix="give a directory, or a scikit-learn estimator, an xgboost.Booster, a Keras model or a tf.Module",
        )

    def fill(folder: Path) -> None:
        (folder / name).mkdir()
        try:
            save(folder / name)
        except Exception as error:
            text = f"{name} cannot be saved: {type(error).__name__}: {error}"
            raise OptionError(text, where=f"${name}", fix="save it yourself and give the directory") from error

    return Cache(directory).put(fill, content_digest) / name


def _saver(obj: Any) -> Save | None:
    if _is(obj, "xgboost", "Booster"):
        # Not save_model: it chooses the format by the name of the file, and warns of `.bst`.
        return lambda folder: _write(folder / "model.bst", bytes(obj.save_raw("ubj")))
    if _is(obj, "keras", "Model") and callable(getattr(obj, "export", None)):
        return lambda folder: _export(obj, folder)
    if _is(obj, "tensorflow", "Module"):
        return lambda folder: sys.modules["tensorflow"].saved_model.save(obj, str(folder))
    if not isinstance(obj, type) and all(callable(getattr(obj, method, None)) for method in ("fit", "predict")):
        return lambda folder: _pickle(obj, folder)
    return None


def _is(obj: object, library: str, name: str) -> bool:
    """Whether it is of this class of a library, which then is imported already."""
    found = getattr(sys.modules.get(library), name, None)
    return isinstance(found, type) and isinstance(obj, found)


def _export(model: Any, folder: Path) -> None:
    # Keras 3 prints a page about the signature unless told not to; older versions have no such option.
    quiet = {"verbose": False} if "verbose" in inspect.signature(model.export).parameters else {}
    with contextlib.redirect_stdout(None):
        model.export(str(folder), **quiet)


def _pickle(model: object, folder: Path) -> None:
    joblib: Any = sys.modules.get("joblib")
    if joblib is not None:
        joblib.dump(model, folder / "model.joblib")
    else:
        _write(folder / "model.pkl", pickle.dumps(model))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _class_name(obj: object) -> str:
    if isinstance(obj, type):
        return "class"
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")

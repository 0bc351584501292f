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
from aip_magics.i18n import gettext as _
from aip_magics.storage import Cache
from aip_magics.storage.cache import content_digest

Save = Callable[[Path], None]


def stage(obj: object, directory: Path, name: str = "") -> Path:
    """Save a model object below `directory` and return the model directory: the same content, the same directory.

    An xgboost.Booster becomes `model.bst`, a Keras model or tf.Module a SavedModel, any other object with `fit` and
    `predict` (scikit-learn's interface) `model.joblib`, or `model.pkl` without joblib; so does an XGBClassifier, whose
    booster alone would answer with probabilities instead of classes. `name` is the variable's, and the name of the
    directory. OptionError where it is no model, or cannot be saved: then with the line that saves it by hand.
    """
    name = name or type(obj).__name__
    saver = _saver(obj)
    if saver is None:
        raise OptionError(
            _("{name} is a {kind}, not a model", name=name, kind=class_name(obj)),
            where=f"${name}",
            fix=_("give a directory, or a scikit-learn estimator, an xgboost.Booster, a Keras model or a tf.Module"),
        )
    save, line = saver

    def fill(folder: Path) -> None:
        (folder / name).mkdir()
        try:
            save(folder / name)
        except Exception as error:
            text = _("{name} cannot be saved: {kind}: {reason}", name=name, kind=type(error).__name__, reason=error)
            pasted = line.format(name=name)
            fix = _("save it yourself, then give --origin export: {line}", line=pasted)
            raise OptionError(text, where=f"${name}", fix=fix) from error

    return Cache(directory).put(fill, content_digest) / name


def _saver(obj: Any) -> tuple[Save, str] | None:
    """How the object is saved, and the line that does it by hand into the directory `export`."""
    if isinstance(obj, type):
        return None
    if _is(obj, "xgboost", "Booster"):
        # Not save_model: it chooses the format by the name of the file, and warns of `.bst`.
        return lambda folder: _write(folder / "model.bst", bytes(obj.save_raw("ubj"))), (
            'open("export/model.bst", "wb").write({name}.save_raw("ubj"))'
        )
    if _is(obj, "keras", "Model") and callable(getattr(obj, "export", None)):
        return lambda folder: _export(obj, folder), '{name}.export("export")'
    if _is(obj, "tensorflow", "Module"):
        return lambda folder: sys.modules["tensorflow"].saved_model.save(obj, str(folder)), (
            'tf.saved_model.save({name}, "export")'
        )
    if all(callable(getattr(obj, method, None)) for method in ("fit", "predict")):
        return lambda folder: _pickle(obj, folder), 'joblib.dump({name}, "export/model.joblib")'
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


def class_name(obj: object) -> str:
    """The class of an object with its module, as an error names it."""
    if isinstance(obj, type):
        return "class"
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")

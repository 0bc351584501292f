"""Save a model object of the notebook in a format that the service accepts, in a directory of its own.

No framework is imported: the class of an object can only be of a library that is already imported.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aip_magics.commands.common.unpicklable import find_unpicklable
from aip_magics.directory_cache import MAX_BYTES, DirectoryCache, directory_digest
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

Save = Callable[[Path], None]


def stage(obj: object, directory: Path, name: str = "") -> Path:
    """Save a model object below `directory`. The same content gives the same model directory.

    An xgboost.Booster becomes `model.bst`, a Keras model or tf.Module a SavedModel. Any other object with `fit` and
    `predict` (scikit-learn's interface) becomes `model.joblib`, or `model.pkl` without joblib. This includes an
    XGBClassifier, because its booster alone predicts probabilities instead of classes.

    Args:
        obj: The model.
        directory: The parent of all saved models.
        name: The name of the variable, which names the model directory.

    Returns:
        The model directory.

    Raises:
        OptionError: The object is not a model, or cannot be saved; the message then names the part at fault.
        OSError: The directory cannot be written to.
    """
    name = name or type(obj).__name__
    saver = _find_saver(obj)
    if saver is None:
        raise OptionError(
            _("{name} is a {kind}, not a model", name=name, kind=class_name(obj)),
            where=f"${name}",
            fix=_("use a directory, a scikit-learn estimator, an xgboost.Booster, a Keras model or a tf.Module"),
        )
    save, line = saver

    def fill(scratch: Path) -> None:
        (scratch / name).mkdir()
        try:
            save(scratch / name)
        except OSError as error:  # of the disk: nothing is wrong with the model
            error.filename = error.filename or str(scratch / name)  # a failed write does not name its file
            raise
        except Exception as error:
            raise _save_error(obj, name, line.format(name=name), error) from error

    return DirectoryCache(directory, max_bytes=MAX_BYTES).add(fill, directory_digest) / name


def is_model(obj: object) -> bool:
    """Whether `stage` takes the object for a model."""
    return _find_saver(obj) is not None


def _save_error(obj: object, name: str, line: str, error: Exception) -> OptionError:
    """Build the error for a model that cannot be saved; `line` saves it by hand."""
    is_pickled = "joblib" in line and not isinstance(error, RecursionError)  # too deep: no single part is at fault
    found = find_unpicklable(obj, name) if is_pickled else None
    if found is None or found.value is obj:
        text = _("could not save {name}: {kind}: {reason}", name=name, kind=type(error).__name__, reason=error)
        fix = _("correct the model so that this line works, then use --origin export: {line}", line=line)
        return OptionError(text, where=f"${name}", fix=fix)
    if found.is_lambda:
        text = _("could not save {name}: {path} is a lambda, which cannot be imported", name=name, path=found.path)
        fix = _(
            "define the function with def in my_module.py, import it from there and create the model again; build the "
            "package for --package-uris with %aip_package my_module.py"
        )
    elif found.is_code:
        function = found.qualified_name
        text = _(
            "could not save {name}: {path} is {function}, which cannot be imported",
            name=name,
            path=found.path,
            function=function,
        )
        fix = _(
            "move {names} into my_module.py, import it from there and create the model again; build the "
            "package for --package-uris with %aip_package my_module.py",
            names=function.rpartition(".")[2],
        )
    else:
        kind = class_name(found.value)
        text = _(
            "could not save {name}: {path} is a {kind}, which cannot be saved", name=name, path=found.path, kind=kind
        )
        fix = _("remove the object from the model and run the command again")
        if found.assignable:
            fix = _("remove the object from the model and run the command again: {line}", line=f"{found.path} = None")
    return OptionError(text, where=f"${name}", fix=fix)


def _find_saver(obj: Any) -> tuple[Save, str] | None:
    """Find the function that saves the object, and the line that saves it to `export` by hand."""
    if isinstance(obj, type):
        return None
    if _is(obj, "xgboost", "Booster"):
        # Not save_model, which chooses the format by the file name and warns about `.bst`.
        return lambda folder: _write(folder / "model.bst", bytes(obj.save_raw("ubj"))), (
            'open("export/model.bst", "wb").write({name}.save_raw("ubj"))'
        )
    if _is(obj, "keras", "Model") and callable(getattr(obj, "export", None)):
        return lambda folder: _export(obj, folder), '{name}.export("export")'
    if _is(obj, "tensorflow", "Module"):
        return lambda folder: _save_module(obj, folder), ('tf.saved_model.save({name}, "export")')
    if all(callable(getattr(obj, method, None)) for method in ("fit", "predict")):
        return lambda folder: _pickle(obj, folder), 'joblib.dump({name}, "export/model.joblib")'
    return None


def _is(obj: object, library: str, name: str) -> bool:
    """Whether the object is an instance of a library's class, without importing the library."""
    cls = getattr(sys.modules.get(library), name, None)
    return isinstance(cls, type) and isinstance(obj, cls)


def _export(model: Any, folder: Path) -> None:
    # Keras 3 prints the whole signature by default; older versions do not have this option.
    quiet = {"verbose": False} if "verbose" in inspect.signature(model.export).parameters else {}
    with contextlib.redirect_stdout(None), _without_information():
        model.export(str(folder), **quiet)


def _save_module(module: Any, folder: Path) -> None:
    with _without_information():
        sys.modules["tensorflow"].saved_model.save(module, str(folder))


@contextlib.contextmanager
def _without_information() -> Iterator[None]:
    """Keep TensorFlow from logging where it wrote the assets, once for each level of Keras; warnings are logged."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _pickle(model: object, folder: Path) -> None:
    joblib: Any = sys.modules.get("joblib")
    if joblib is not None:
        joblib.dump(model, folder / "model.joblib")
    else:
        _write(folder / "model.pkl", pickle.dumps(model))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def class_name(obj: object) -> str:
    """Return the class of an object with its module, for messages."""
    if isinstance(obj, type):
        return "class"
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")

"""Import only the modules of TensorFlow that a session with a SavedModel needs: a quarter of the full import time.

TensorFlow's own `__init__` also imports Keras and the code that builds and trains models: 4.2 s of processor time
against 0.9 s for these modules (2.21). Operations and kernels are in the shared libraries, which are the same.
"""

import importlib.util
import os
import sys
import types
from typing import Any

# Errors after which the full TensorFlow may succeed: a missing operation, or a function that has moved.
MISSING_ERRORS = (AttributeError, ImportError, NameError, TypeError)


class MinimalTensorFlow(types.ModuleType):
    """A replacement for the package `tensorflow`: its modules can be imported, but its `__init__` is not run.

    It has the attributes of `tensorflow.compat.v1` that loading a SavedModel and predicting need.
    """


def import_minimal() -> "Any":
    """Import the minimal TensorFlow. None if all of TensorFlow is imported already, or this release differs."""
    loaded = sys.modules.get("tensorflow")
    if loaded is not None:
        return loaded if isinstance(loaded, MinimalTensorFlow) else None
    spec = importlib.util.find_spec("tensorflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    # In TensorFlow 1, `tensorflow.contrib` has some operations (up to 1.14), and modules have other paths (1.15).
    if not folders or not has_subfolder(folders, "python") or has_subfolder(folders, "contrib"):
        return None
    found = MinimalTensorFlow("tensorflow")  # type: Any
    found.__path__, found.__spec__, found.__file__ = folders, spec, spec and spec.origin
    sys.modules["tensorflow"] = found
    try:
        fill(found)
    except Exception:  # noqa: BLE001 (importing all of TensorFlow will report what is wrong)
        forget()
        return None
    return found


def has_subfolder(folders: "list[str]", name: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, name)) for folder in folders)


def fill(found: "Any") -> None:
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.client import session
    from tensorflow.python.framework import dtypes, load_library, ops, versions
    from tensorflow.python.saved_model import loader_impl

    found.__version__ = versions.__version__
    found.ConfigProto = config_pb2.ConfigProto
    found.Graph, found.Session = ops.Graph, session.Session
    found.string = dtypes.string
    found.load_op_library = load_library.load_op_library
    found.saved_model = types.SimpleNamespace(loader=loader_impl)


def forget() -> None:
    """Remove the replacement, so that `import tensorflow` imports the rest."""
    if isinstance(sys.modules.get("tensorflow"), MinimalTensorFlow):
        del sys.modules["tensorflow"]


def is_missing_module_error(tf: "Any", error: BaseException) -> bool:
    """Whether an error may be caused by what the minimal TensorFlow lacks."""
    return isinstance(tf, MinimalTensorFlow) and (isinstance(error, MISSING_ERRORS) or "not registered" in str(error))

"""Of TensorFlow only what a session with a SavedModel takes: a quarter of the time that importing all of it takes.

The rest is Keras and what builds and trains models, which TensorFlow's own `__init__` imports first: 4.2 s of work
against 0.9 s for these parts (2.21). Operations and kernels are in the shared libraries, and those are the same.
"""

import importlib.util
import os
import sys
import types
from typing import Any

# What a session does not find in the parts, it may find in the whole: an operation, or a function that has moved.
MISSING_ERRORS = (AttributeError, ImportError, NameError, TypeError)


class MinimalTensorFlow(types.ModuleType):
    """Stands where the package `tensorflow` would: its modules can be imported, its `__init__` is not run.

    Has of `tensorflow.compat.v1` what loading a SavedModel and asking it takes.
    """


def parts() -> "Any":
    """The parts, imported. None where all of TensorFlow is imported already, or this one has other parts."""
    loaded = sys.modules.get("tensorflow")
    if loaded is not None:
        return loaded if isinstance(loaded, MinimalTensorFlow) else None
    spec = importlib.util.find_spec("tensorflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    # The operations of a version 1 come with `tensorflow.contrib` (up to 1.14), its modules lie elsewhere (1.15).
    if not folders or not has(folders, "python") or has(folders, "contrib"):
        return None
    found = MinimalTensorFlow("tensorflow")  # type: Any
    found.__path__, found.__spec__, found.__file__ = folders, spec, spec and spec.origin
    sys.modules["tensorflow"] = found
    try:
        fill(found)
    except Exception:  # noqa: BLE001 (what is really wrong, importing the whole will tell)
        forget()
        return None
    return found


def has(folders: "list[str]", name: str) -> bool:
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
    """Make way for `import tensorflow`, which goes on with the modules that are imported already."""
    if isinstance(sys.modules.get("tensorflow"), MinimalTensorFlow):
        del sys.modules["tensorflow"]


def lacking(tf: "Any", error: BaseException) -> bool:
    """Whether a failure may be due to what the parts do not have."""
    return isinstance(tf, MinimalTensorFlow) and (isinstance(error, MISSING_ERRORS) or "not registered" in str(error))

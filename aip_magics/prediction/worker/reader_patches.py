"""Replace the unpicklers of pickle and joblib with the restricted one, for everything in this process.

joblib writes the bytes of arrays between the opcodes and has its own reader for them. That reader is restricted too:
immediately, or when a routine imports joblib later.
"""

import importlib
import io
import pickle
import sys
from typing import Any

from .allowed_globals import AllowedGlobals
from .errors import NotTrusted
from .restricted_unpickler import RestrictedUnpickler

JOBLIBS = ("joblib", "sklearn.externals.joblib")  # the second: scikit-learn before 0.23
READER_MODULES = tuple(name + ".numpy_pickle" for name in JOBLIBS)
WRAPPER_STATE = frozenset(
    ["subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"]
)  # the attributes of joblib's NumpyArrayWrapper


def restricted_joblib(base: "Any") -> "Any":
    """Build a subclass of joblib's unpickler, which reads arrays between the opcodes, with the same rules."""

    # In modules imported after `install`, the base class is the restricted unpickler already.
    class RestrictedJoblib(*((base,) if issubclass(base, RestrictedUnpickler) else (RestrictedUnpickler, base))):  # type: ignore[misc]
        dispatch = dict(base.dispatch)  # noqa: RUF012

        def load_build(self) -> None:
            wrapper = self.stack[-2]
            if type(wrapper).__name__ != "NumpyArrayWrapper":
                RestrictedUnpickler.load_build(self)
                return
            state = self.stack[-1]
            if not isinstance(state, dict) or not set(state) <= WRAPPER_STATE or vars(wrapper):
                raise NotTrusted("an unexpected state of NumpyArrayWrapper")
            RestrictedUnpickler.load_build(self)
            check_wrapper(self.np, wrapper, self.unwrap(wrapper.subclass, "new", "array"))
            wrapper.subclass = self.unwrap(wrapper.subclass, "new", "array")
            if wrapper.dtype.hasobject:  # a nested pickle, which joblib's reader would load without these rules
                self.stack[-1] = RestrictedUnpickler(self.file_handle).load()
            else:
                self.stack[-1] = wrapper.read(self, *([self.ensure_native_byte_order] if takes_order(wrapper) else []))

    RestrictedJoblib.dispatch.update(RestrictedUnpickler.dispatch)
    RestrictedJoblib.dispatch[pickle.BUILD[0]] = RestrictedJoblib.load_build
    return RestrictedJoblib


def takes_order(wrapper: "Any") -> bool:
    """Whether `read` takes the byte order, which joblib passes since 1.4."""
    return bool(type(wrapper).read.__code__.co_argcount > 2)


def check_wrapper(numpy: "Any", wrapper: "Any", subclass: type) -> None:
    shape = wrapper.shape
    valid = (
        isinstance(wrapper.dtype, numpy.dtype)
        and isinstance(shape, tuple)
        and all(type(size) is int and size >= 0 for size in shape)
        and wrapper.order in ("C", "F")
        and issubclass(subclass, numpy.ndarray)
    )
    if not valid:
        raise NotTrusted("an unexpected state of NumpyArrayWrapper")


def install(rules: AllowedGlobals) -> None:
    """Apply these rules to all loading by pickle and joblib in this process from now on."""
    installed, RestrictedUnpickler.rules = RestrictedUnpickler.rules is not None, rules
    if installed:
        return
    for name in READER_MODULES:
        if name in sys.modules:
            patch_joblib(sys.modules[name])
    sys.meta_path.insert(0, PatchingFinder())

    def load(file: "Any", **options: "Any") -> "Any":
        return RestrictedUnpickler(file, **options).load()

    def loads(data: "Any", **options: "Any") -> "Any":
        return RestrictedUnpickler(io.BytesIO(data), **options).load()

    for module in (pickle, sys.modules.get("_pickle")):
        if module is not None:
            vars(module).update(load=load, loads=loads, Unpickler=RestrictedUnpickler)
    vars(pickle).update(_load=load, _loads=loads, _Unpickler=RestrictedUnpickler)


def patch_joblib(numpy_pickle: "Any") -> None:
    """Replace joblib's unpickler with the restricted one."""
    reader = restricted_joblib(numpy_pickle.NumpyUnpickler)
    vars(numpy_pickle).update(NumpyUnpickler=reader, load_compatibility=refuse_old_format)


class PatchingFinder:
    """An import hook that patches joblib's reader when a routine imports joblib."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name not in READER_MODULES:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                spec.loader = PatchingLoader(spec.loader)
                return spec
        return None


class PatchingLoader:
    """A loader that patches the module after loading it."""

    def __init__(self, loader: "Any") -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.loader, name)

    def create_module(self, spec: "Any") -> "Any":
        return self.loader.create_module(spec)

    def exec_module(self, module: "Any") -> None:
        self.loader.exec_module(module)
        patch_joblib(module)


def find_joblib() -> "Any":
    """Import joblib; None if it is not installed."""
    for name in JOBLIBS:
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


def refuse_old_format(*_: "Any") -> None:
    raise NotTrusted("the format of joblib before 0.10")

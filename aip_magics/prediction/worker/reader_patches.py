"""Put the restricted reader where pickle's and joblib's own are: nothing in this process loads a pickle otherwise.

joblib writes the bytes of arrays between the opcodes and has a reader of its own for that; it is restricted alike, at
once or, where a routine imports joblib later, then.
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
READERS = tuple(name + ".numpy_pickle" for name in JOBLIBS)
WRAPPER_STATE = frozenset(
    ["subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"]
)  # of joblib's NumpyArrayWrapper


def restricted_joblib(base: "Any") -> "Any":
    """joblib's unpickler, which reads arrays between the opcodes, with the same rules."""

    # Of what was imported after `install`, pickle's own reader is the restricted one already.
    class RestrictedJoblib(*((base,) if issubclass(base, RestrictedUnpickler) else (RestrictedUnpickler, base))):  # type: ignore[misc]
        dispatch = dict(base.dispatch)  # noqa: RUF012

        def load_build(self) -> None:
            wrapper = self.stack[-2]
            if type(wrapper).__name__ != "NumpyArrayWrapper":
                RestrictedUnpickler.load_build(self)
                return
            state = self.stack[-1]
            if not isinstance(state, dict) or not set(state) <= WRAPPER_STATE or vars(wrapper):
                raise NotTrusted("another state of NumpyArrayWrapper than joblib gives it")
            RestrictedUnpickler.load_build(self)
            check_wrapper(self.np, wrapper, self.opened(wrapper.subclass, "new", "array"))
            wrapper.subclass = self.opened(wrapper.subclass, "new", "array")
            if wrapper.dtype.hasobject:  # a pickle in the pickle, which joblib's reader would load by rules of its own
                self.stack[-1] = RestrictedUnpickler(self.file_handle).load()
            else:
                self.stack[-1] = wrapper.read(self, *([self.ensure_native_byte_order] if takes_order(wrapper) else []))

    RestrictedJoblib.dispatch.update(RestrictedUnpickler.dispatch)
    RestrictedJoblib.dispatch[pickle.BUILD[0]] = RestrictedJoblib.load_build
    return RestrictedJoblib


def takes_order(wrapper: "Any") -> bool:
    """joblib hands the byte order on since 1.4."""
    return bool(type(wrapper).read.__code__.co_argcount > 2)


def check_wrapper(numpy: "Any", wrapper: "Any", subclass: type) -> None:
    shape = wrapper.shape
    fine = (
        isinstance(wrapper.dtype, numpy.dtype)
        and isinstance(shape, tuple)
        and all(type(size) is int and size >= 0 for size in shape)
        and wrapper.order in ("C", "F")
        and issubclass(subclass, numpy.ndarray)
    )
    if not fine:
        raise NotTrusted("another state of NumpyArrayWrapper than joblib gives it")


def install(rules: AllowedGlobals) -> None:
    """From now on pickle and joblib load by these rules in this process, whoever calls them."""
    again, RestrictedUnpickler.rules = RestrictedUnpickler.rules is not None, rules
    if again:
        return
    for name in READERS:
        if name in sys.modules:
            adopt(sys.modules[name])
    sys.meta_path.insert(0, Adopting())

    def load(file: "Any", **options: "Any") -> "Any":
        return RestrictedUnpickler(file, **options).load()

    def loads(data: "Any", **options: "Any") -> "Any":
        return RestrictedUnpickler(io.BytesIO(data), **options).load()

    for place in (pickle, sys.modules.get("_pickle")):
        if place is not None:
            vars(place).update(load=load, loads=loads, Unpickler=RestrictedUnpickler)
    vars(pickle).update(_load=load, _loads=loads, _Unpickler=RestrictedUnpickler)


def adopt(numpy_pickle: "Any") -> None:
    """Put the restricted reader where joblib's is."""
    reader = restricted_joblib(numpy_pickle.NumpyUnpickler)
    vars(numpy_pickle).update(NumpyUnpickler=reader, load_compatibility=old_format)


class Adopting:
    """Finds joblib's reader as the others do, and has it adopted once it is imported: a routine may never need it."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name not in READERS:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                spec.loader = Adopted(spec.loader)
                return spec
        return None


class Adopted:
    """A loader that adopts what it loaded."""

    def __init__(self, loader: "Any") -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.loader, name)

    def create_module(self, spec: "Any") -> "Any":
        return self.loader.create_module(spec)

    def exec_module(self, module: "Any") -> None:
        self.loader.exec_module(module)
        adopt(module)


def joblib() -> "Any":
    """joblib; None where there is none."""
    for name in JOBLIBS:
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


def old_format(*_: "Any") -> None:
    raise NotTrusted("the format of joblib before 0.10")

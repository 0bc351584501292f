"""The requirements that make up the environment of a runtime version."""

from __future__ import annotations

from collections.abc import Iterable

from aip_magics import catalog
from aip_magics.catalog import Runtime
from aip_magics.errors import FieldError
from aip_magics.i18n import gettext as _

# Distribution → column of the catalog.
COLUMNS = {
    "scikit-learn": "sklearn",
    "xgboost": "xgboost",
    "tensorflow": "tensorflow",
    "numpy": "numpy",
    "pandas": "pandas",
}
_ALWAYS = ("numpy", "pandas", "joblib")
_OWN = {"SCIKIT_LEARN": ("scikit-learn",), "XGBOOST": ("xgboost", "scikit-learn"), "TENSORFLOW": ("tensorflow",)}
# xgboost 1.6 and older import pkg_resources, which later setuptools no longer include; wheel builds custom code.
_TOOLS = ("setuptools<60", "wheel")
# TensorFlow before 2.9 sets no upper bound, and its generated code does not load with a later protobuf.
_TENSORFLOW_TOO = ("protobuf<3.21",)


def build_pins(runtime: Runtime, framework: str | None = None, extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Build the sorted requirements for a framework.

    Args:
        runtime: the runtime of the catalog.
        framework: the API's name of the framework; None stands for scikit-learn.
        extra: further distributions. Those of the runtime are pinned to its release, the others stay unpinned.

    Raises:
        FieldError: the runtime does not include the framework.
    """
    names = _OWN.get(framework or "SCIKIT_LEARN", ())
    for name in names[:1]:
        if getattr(runtime, COLUMNS[name]) is None:
            text = _("runtime {version} does not include {name}", version=runtime.version, name=name)
            raise FieldError(text, where="version.runtimeVersion", fix=_("use runtime version 1.4 or newer"))
    names_to_pin = dict.fromkeys((*_ALWAYS, *names, *extra))
    pins = {_pin(name, runtime) for name in names_to_pin} | set(_TOOLS)
    if framework == "TENSORFLOW":
        pins.update(_TENSORFLOW_TOO)
    return tuple(sorted(pins))


def get_runtime(runtime_version: str, python_version: str | None) -> tuple[Runtime, str]:
    """Get a runtime of the catalog and its Python version (None: the newest). Raises FieldError if unknown."""
    runtime = catalog.runtime(runtime_version)
    if runtime is None:
        known = ", ".join(row.version for row in catalog.runtimes())
        text = _("unknown runtime version {runtime_version!r}", runtime_version=runtime_version)
        raise FieldError(text, where="version.runtimeVersion", fix=_("use one of {known}", known=known))
    python = python_version or runtime.python[0]
    if python not in runtime.python:
        text = _(
            "runtime {runtime_version} does not support Python {python}", runtime_version=runtime_version, python=python
        )
        raise FieldError(
            text, where="version.pythonVersion", fix=_("use Python {python}", python=", ".join(runtime.python))
        )
    return runtime, python


def _pin(name: str, runtime: Runtime) -> str:
    release = getattr(runtime, COLUMNS[name]) if name in COLUMNS else None
    if release is None:
        return name
    # "1.21" stands for the release series.
    return f"{name}=={release}" if release.count(".") > 1 else f"{name}=={release}.*"

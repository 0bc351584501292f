"""What an environment of a runtime version consists of, as requirements for the installer."""

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
# xgboost 1.6 and older import pkg_resources, which later setuptools no longer have; wheel builds custom code.
_TOOLS = ("setuptools<60", "wheel")
# TensorFlow before 2.9 sets no bound, and its generated code does not load with a later protobuf.
_TENSORFLOW_TOO = ("protobuf<3.21",)


def pins_of(runtime: Runtime, framework: str | None = None, extra: Iterable[str] = ()) -> tuple[str, ...]:
    """The requirements for a framework (None: scikit-learn's), sorted. `extra` are further distributions: those of the
    runtime get its release, the others are taken as they are written.

    FieldError where the runtime does not have the framework.
    """
    names = _OWN.get(framework or "SCIKIT_LEARN", ())
    for name in names[:1]:
        if getattr(runtime, COLUMNS[name]) is None:
            text = _("runtime {version} has no {name}", version=runtime.version, name=name)
            raise FieldError(text, where="version.runtimeVersion", fix=_("1.4 is the oldest that has it"))
    wanted = dict.fromkeys((*_ALWAYS, *names, *extra))
    pins = {_pin(name, runtime) for name in wanted} | set(_TOOLS)
    if framework == "TENSORFLOW":
        pins.update(_TENSORFLOW_TOO)
    return tuple(sorted(pins))


def runtime_of(runtime_version: str, python_version: str | None) -> tuple[Runtime, str]:
    """The runtime of the catalog and its Python, the newest of it if None is named. FieldError where there is none."""
    runtime = catalog.runtime(runtime_version)
    if runtime is None:
        known = ", ".join(row.version for row in catalog.runtimes())
        text = _("there is no runtime version {runtime_version!r}", runtime_version=runtime_version)
        raise FieldError(text, where="version.runtimeVersion", fix=_("one of {known}", known=known))
    python = python_version or runtime.python[0]
    if python not in runtime.python:
        text = _("runtime {runtime_version} has no Python {python}", runtime_version=runtime_version, python=python)
        raise FieldError(
            text, where="version.pythonVersion", fix=_("it has {python}", python=", ".join(runtime.python))
        )
    return runtime, python


def _pin(name: str, runtime: Runtime) -> str:
    release = getattr(runtime, COLUMNS[name]) if name in COLUMNS else None
    if release is None:
        return name
    # "1.21" stands for the series.
    return f"{name}=={release}" if release.count(".") > 1 else f"{name}=={release}.*"

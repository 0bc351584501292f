"""The Python and the requirements of an environment for a model, by the libraries that saved it."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection, Mapping

from aip_magics.catalog.tables import parse_version, read_table

_ALWAYS = ("joblib", "numpy", "setuptools", "wheel")  # the last two build custom code
_NEEDED = {"scikit-learn": ("scipy",), "xgboost": ("scipy", "scikit-learn"), "tensorflow": ("protobuf",)}
_RELEASE = re.compile(r"\d+(\.\d+)+(\.post\d+)?")
_SERIES = re.compile(r"\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class ModelEnvironment:
    """The requirements of an environment, sorted, and the Pythons (`3.10`) that have wheels of them, best first.

    `pythons` is empty if the table does not know the releases.
    """

    pins: tuple[str, ...]
    pythons: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Row:
    name: str
    until: str
    python: tuple[str, ...]
    bounds: tuple[str, ...]


def find_model_environment(libraries: Mapping[str, str], modules: Collection[str] = ()) -> ModelEnvironment | None:
    """Find the environment for the libraries that saved a model.

    Args:
        libraries: The release of each library, `{"scikit-learn": "1.2.2"}`.
        modules: The modules that the model names, `sklearn.tree._tree`; they decide on NumPy 2 and further libraries.

    Returns:
        The environment; None if no Python has wheels of all these releases.
    """
    rows = [row for name, version in libraries.items() if (row := _find_row(name, version))]
    pythons = [python for python in (rows[0].python if rows else ()) if all(python in row.python for row in rows)]
    if rows and not pythons:
        return None
    further: dict[str, str] = read_table("model_environments")["distribution_of"]
    tops = {module.partition(".")[0] for module in modules}
    names = {*_ALWAYS, *(further[top] for top in tops if top in further)}
    names.update(*(_NEEDED.get(name, ()) for name in libraries))
    numpy_2 = any(module == "numpy._core" or module.startswith("numpy._core.") for module in modules)
    bounds: dict[str, list[str]] = {"numpy": ["numpy>=2" if numpy_2 else "numpy<2"]} if modules else {}
    for bound in (bound for row in rows for bound in row.bounds):
        bounds.setdefault(re.split("[<>=]", bound)[0], []).append(bound)
    pins = {_pin(name, version) for name, version in libraries.items()}
    for name in names - libraries.keys():
        pins.update(bounds.get(name, [name]))
    return ModelEnvironment(tuple(sorted(pins)), tuple(pythons))


def _pin(name: str, version: str) -> str:
    """Pin a release; a series for `1.6`, and for what is not on the package index (`1.3.dev0`)."""
    if _RELEASE.fullmatch(version) and len(parse_version(version)) > 2:
        return f"{name}=={version}"
    series = _SERIES.match(version)
    return f"{name}=={series[0]}.*" if series else name


def _find_row(name: str, version: str) -> _Row | None:
    series = parse_version(version)[:2]
    return next((row for row in _rows() if row.name == name and series <= parse_version(row.until)), None)


@functools.cache
def _rows() -> tuple[_Row, ...]:
    rows = read_table("model_environments")["library"]
    return tuple(_Row(row["name"], row["until"], tuple(row["python"]), tuple(row["bounds"])) for row in rows)

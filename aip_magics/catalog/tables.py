"""The tables of this package as values, each read once, when first used."""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from typing import Any, Literal

from aip_magics import toml_reader

Certainty = Literal["certain", "remembered"]
Family = Literal["MLS1", "N1"]


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A runtime version and the libraries of its image; a library is None where the runtime does not have it.

    A version of two parts ("1.5") means the series. `certain` names the columns with a source; the rest is remembered.
    """

    version: str
    released: str
    tensorflow: str
    python: tuple[str, ...]
    sklearn: str | None = None
    xgboost: str | None = None
    numpy: str | None = None
    pandas: str | None = None
    certain: frozenset[str] = frozenset()

    def certainty(self, column: str) -> Certainty:
        """How sure the value of this column is."""
        return "certain" if column in self.certain else "remembered"


@dataclasses.dataclass(frozen=True)
class MaxLibraryVersions:
    """The last release of each library that runs on this Python at all (all certain)."""

    python: str
    tensorflow: str
    sklearn: str
    xgboost: str
    numpy: str
    pandas: str
    pickle_protocol: int


@dataclasses.dataclass(frozen=True)
class MachineType:
    """A machine type of online prediction. `formerly` is its name before 2019-02-01."""

    name: str
    family: Family
    vcpus: int
    memory_gb: float
    certainty: Certainty
    formerly: str | None = None


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of the service: sizes in bytes, the rest are counts; `remembered` names the fields without a source."""

    model_dir_bytes_mls1: int
    model_dir_bytes_n1: int
    model_dir_files: int
    predict_body_bytes: int
    gcloud_instances: int
    predict_seconds: int
    name_chars: int
    labels: int
    label_chars: int
    models_per_project: int
    versions_per_project: int
    concurrent_operations: int
    list_page_size: int
    list_page_size_max: int
    remembered: frozenset[str] = frozenset()

    def model_dir_bytes(self, family: Family) -> int:
        """The largest model directory, in bytes, on machines of this family."""
        return self.model_dir_bytes_mls1 if family == "MLS1" else self.model_dir_bytes_n1


def parse_version(version: str) -> tuple[int, ...]:
    """The numbers of a version for comparing: `1.0.2` is (1, 0, 2), `0.22.2.post1` and `0.22.2rc1` are (0, 22, 2)."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


@functools.cache
def runtimes() -> tuple[Runtime, ...]:
    """All runtime versions, newest first."""
    return tuple(
        Runtime(**{**row, "python": tuple(row["python"]), "certain": frozenset(row["certain"])})
        for row in read_table("runtimes")["runtime"]
    )


@functools.cache
def max_library_versions() -> tuple[MaxLibraryVersions, ...]:
    """What each Python can hold at most, newest Python first."""
    return tuple(MaxLibraryVersions(**row) for row in read_table("runtimes")["ceiling"])


@functools.cache
def machine_types() -> tuple[MachineType, ...]:
    """All machine types, MLS1 first, each family from small to large."""
    return tuple(MachineType(**row) for row in read_table("machine_types")["machine_type"])


@functools.cache
def limits() -> Limits:
    """The limits of the service."""
    rows = read_table("limits")
    remembered = frozenset(name for name, row in rows.items() if row["certainty"] == "remembered")
    return Limits(**{name: row["value"] for name, row in rows.items()}, remembered=remembered)


def runtime(version: str) -> Runtime | None:
    """The runtime of this version (`2.11`), or None."""
    return next((row for row in runtimes() if row.version == version), None)


def machine_type(name: str) -> MachineType | None:
    """The machine type of this name, or None. A name from before 2019 is not known; see `MachineType.formerly`."""
    return next((row for row in machine_types() if row.name == name), None)


def default_machine_type(regional: bool) -> MachineType:
    """What the service takes when `machineType` is left out: n1-standard-2 on a regional endpoint, else mls1-c1-m2."""
    name = read_table("machine_types")["default_regional" if regional else "default_global"]
    return next(row for row in machine_types() if row.name == name)


def accelerators() -> tuple[str, ...]:
    """The values of `acceleratorConfig.type`."""
    return tuple(read_table("machine_types")["accelerators"])


def regional_regions() -> tuple[str, ...]:
    """Regions with an endpoint of their own, `REGION-ml.googleapis.com`."""
    return tuple(read_table("regions")["regional"])


def global_regions() -> tuple[str, ...]:
    """Regions of the global endpoint, `ml.googleapis.com`."""
    return tuple(read_table("regions")["global"])


def default_region() -> str:
    """The region the service takes when none is named."""
    return str(read_table("regions")["default"])


@functools.cache
def read_table(table: str) -> dict[str, Any]:
    """Return a table of this package by its name, as parsed TOML."""
    return toml_reader.loads(resources.files(__package__).joinpath(f"{table}.toml").read_text(encoding="utf-8"))

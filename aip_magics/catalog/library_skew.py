"""What a release of a library certainly cannot do with what another release saved (`library_skew.toml`)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Literal

from aip_magics.catalog.tables import parse_version, read_table

FailingStep = Literal["load", "predict"]


@dataclasses.dataclass(frozen=True)
class LibraryBreak:
    """A name in a model that releases from `read_from` on cannot use, if a release before `saved_before` saved it.

    `step` is what fails: unpickling the model, or every prediction of the loaded model.
    """

    library: str
    name: str
    saved_before: str
    read_from: str
    step: FailingStep


def find_library_break(library: str, saved: str, has: str, names: Iterable[str]) -> LibraryBreak | None:
    """Return the first of the names in a model of release `saved` that release `has` of the library cannot use.

    Args:
        library: The distribution, `scikit-learn`.
        saved: The release that saved the model.
        has: The release that would load it.
        names: Dotted names of the classes and functions in the model.
    """
    broken = {
        row.name: row
        for row in _rows()
        if row.library == library
        and parse_version(saved) < parse_version(row.saved_before)
        and parse_version(has) >= parse_version(row.read_from)
    }
    found = [broken[name] for name in names if name in broken]
    return next((row for row in found if row.step == "load"), found[0] if found else None)


def xgboost_reads_binary(version: str) -> bool:
    """Whether this XGBoost reads the binary format of models, which was removed."""
    return parse_version(version) < parse_version(read_table("library_skew")["xgboost"]["binary_removed"])


def xgboost_reads(format: str, version: str) -> bool:
    """Whether this XGBoost reads model files of a format: `json`, `ubjson` or `binary`."""
    if format == "binary":
        return xgboost_reads_binary(version)
    since: dict[str, str] = read_table("library_skew")["xgboost"]["since"]
    return format not in since or parse_version(version) >= parse_version(since[format])


@functools.cache
def _rows() -> tuple[LibraryBreak, ...]:
    return tuple(
        LibraryBreak(row["library"], name, row["saved_before"], row["read_from"], row["step"])
        for row in read_table("library_skew")["break"]
        for name in row["names"]
    )

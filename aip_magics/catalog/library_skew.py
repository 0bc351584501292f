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

    `name` may end in `*`. From `read_before` on, releases can use it again; None if none of them can. `step` is what
    fails: unpickling the model, or every prediction of the loaded model.
    """

    library: str
    name: str
    saved_before: str
    read_from: str
    step: FailingStep
    read_before: str | None = None

    def concerns(self, saved: str, has: str) -> bool:
        """Whether release `has` cannot use the name in a model of release `saved`."""
        reader = parse_version(has)
        return (
            parse_version(saved) < parse_version(self.saved_before)
            and parse_version(self.read_from) <= reader
            and (self.read_before is None or reader < parse_version(self.read_before))
        )

    def matches(self, name: str) -> bool:
        """Whether a dotted name in a model is this one."""
        return name == self.name or (self.name.endswith("*") and name.startswith(self.name[:-1]))


def find_library_break(library: str, saved: str, has: str, names: Iterable[str]) -> LibraryBreak | None:
    """Return the first of the names in a model of release `saved` that release `has` of the library cannot use.

    Args:
        library: The distribution, `scikit-learn`.
        saved: The release that saved the model.
        has: The release that would load it.
        names: Dotted names of the classes and functions in the model.
    """
    rows = [row for row in _rows() if row.library == library and row.concerns(saved, has)]
    found = [dataclasses.replace(row, name=name) for name in names for row in rows if row.matches(name)]
    return next((row for row in found if row.step == "load"), found[0] if found else None)


def xgboost_reads(format: str, version: str) -> bool:
    """Whether this XGBoost reads model files of a format: `json`, `ubjson` or `binary`, which was removed."""
    known = read_table("library_skew")["xgboost"]
    if format == "binary":
        return parse_version(version) < parse_version(known["binary_removed"])
    since: dict[str, str] = known["since"]
    return format not in since or parse_version(version) >= parse_version(since[format])


@functools.cache
def _rows() -> tuple[LibraryBreak, ...]:
    return tuple(
        LibraryBreak(name=name, **{field: value for field, value in row.items() if field != "names"})
        for row in read_table("library_skew")["break"]
        for name in row["names"]
    )

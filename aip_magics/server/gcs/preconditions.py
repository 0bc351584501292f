"""Preconditions: do this only when the object (or bucket) is still the one I know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from aip_magics.server.gcs.gcs_errors import condition_not_met, invalid, not_modified

_QUERY = {
    "generation_match": "ifGenerationMatch",
    "generation_not_match": "ifGenerationNotMatch",
    "metageneration_match": "ifMetagenerationMatch",
    "metageneration_not_match": "ifMetagenerationNotMatch",
}


@dataclasses.dataclass(frozen=True)
class Preconditions:
    """What must hold of the current object; an absent object has generation 0."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], *, source: bool = False) -> Preconditions:
        """From `ifGenerationMatch=…` (with `source`: `ifSourceGenerationMatch=…`) of the query."""
        names = {field: name.replace("if", "ifSource", 1) if source else name for field, name in _QUERY.items()}
        return cls(**{field: integer(name, query[name]) for field, name in names.items() if name in query})

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Preconditions:
        """From the headers of the XML API: `x-goog-if-generation-match`, `x-goog-if-metageneration-match`."""
        names = {f: f"x-goog-if-{f.replace('_', '-')}" for f in ("generation_match", "metageneration_match")}
        return cls(**{field: integer(name, headers[name]) for field, name in names.items() if name in headers})

    def check(self, generation: int, metageneration: int, *, reading: bool = False) -> None:
        """412 when a condition does not hold; 304 for a `NotMatch` condition of a read."""
        for wanted, current in (
            (self.generation_match, generation),
            (self.metageneration_match, metageneration),
        ):
            if wanted is not None and wanted != current:
                raise condition_not_met()
        for unwanted, current in (
            (self.generation_not_match, generation),
            (self.metageneration_not_match, metageneration),
        ):
            if unwanted is not None and unwanted == current:
                raise not_modified() if reading else condition_not_met()


ALWAYS = Preconditions()


def integer(name: str, text: object) -> int:
    """A whole number of at most 19 digits (int64), or InvalidArgument (400) naming the parameter."""
    written = str(text)
    if not (written.isascii() and written.isdigit() and len(written) <= 18 + 1):
        raise invalid(f"Invalid value for {name}: a whole number is wanted, not '{written[:40]}'.")
    return int(written)

"""Preconditions: generations that the current object or bucket must (or must not) have."""

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
    """The preconditions of a request; an object that does not exist has generation 0."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], *, source: bool = False) -> Preconditions:
        """Read `ifGenerationMatch=…` (with `source`: `ifSourceGenerationMatch=…`) and its kin from the query."""
        names = {field: name.replace("if", "ifSource", 1) if source else name for field, name in _QUERY.items()}
        return cls(**{field: integer(name, query[name]) for field, name in names.items() if name in query})

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Preconditions:
        """Read the headers of the XML API: `x-goog-if-generation-match`, `x-goog-if-metageneration-match`."""
        names = {f: f"x-goog-if-{f.replace('_', '-')}" for f in ("generation_match", "metageneration_match")}
        return cls(**{field: integer(name, headers[name]) for field, name in names.items() if name in headers})

    def check(self, generation: int, metageneration: int, *, reading: bool = False) -> None:
        """Raise 412 when a precondition fails; 304 for a `NotMatch` precondition of a read."""
        for expected, current in (
            (self.generation_match, generation),
            (self.metageneration_match, metageneration),
        ):
            if expected is not None and expected != current:
                raise condition_not_met()
        for excluded, current in (
            (self.generation_not_match, generation),
            (self.metageneration_not_match, metageneration),
        ):
            if excluded is not None and excluded == current:
                raise not_modified() if reading else condition_not_met()


ALWAYS = Preconditions()


def integer(name: str, text: object) -> int:
    """Parse an integer of at most 19 digits (int64); InvalidArgument (400) names the parameter."""
    digits = str(text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 + 1):
        raise invalid(f"Invalid value for {name}: expected an integer, got '{digits[:40]}'.")
    return int(digits)

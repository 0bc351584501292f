"""Choices: values that the user did not give, each with the source it was chosen from."""

from __future__ import annotations

import dataclasses

from aip_magics.spec import Version


@dataclasses.dataclass(frozen=True)
class Choice:
    """A value that the user did not give, and the source it was chosen from."""

    field: str
    value: str
    source: str


@dataclasses.dataclass(frozen=True)
class CompletedVersion:
    """A version whose omitted fields are chosen, and the choices.

    `server_defaults` are fields that the service sets to the chosen values if they are omitted.
    """

    version: Version
    choices: tuple[Choice, ...] = ()
    server_defaults: tuple[str, ...] = ()

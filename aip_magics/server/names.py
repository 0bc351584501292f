"""Names of resources, and the endpoint that a request addresses."""

from __future__ import annotations

import dataclasses
import re

from aip_magics import catalog
from aip_magics.resource_names import RESOURCE

GLOBAL = "global"

_MAX_CHARS = 128
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::\d{1,5})?")
_REGIONAL = re.compile(r"(?P<region>[a-z0-9-]+)-ml\.googleapis\.com")
_GLOBAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "ml.googleapis.com", "storage.googleapis.com"})


@dataclasses.dataclass(frozen=True)
class ModelKey:
    """The key of a model. `location` is `global` or a region: each endpoint has its own namespace."""

    location: str
    project: str
    model: str

    @property
    def name(self) -> str:
        return f"projects/{self.project}/models/{self.model}"

    def child(self, version: str) -> VersionKey:
        """Return the key of a version of the model."""
        return VersionKey(self.location, self.project, self.model, version)

    @property
    def regional(self) -> bool:
        return self.location != GLOBAL


@dataclasses.dataclass(frozen=True)
class VersionKey(ModelKey):
    """The key of a version."""

    version: str

    @property
    def name(self) -> str:
        return f"{self.parent.name}/versions/{self.version}"

    @property
    def parent(self) -> ModelKey:
        return ModelKey(self.location, self.project, self.model)


def is_resource_id(text: str) -> bool:
    """Return whether `text` is a legal model or version id: a letter, then at most 127 letters, digits, underscores."""
    return len(text) <= _MAX_CHARS and RESOURCE.fullmatch(text) is not None


def get_location(host: str) -> str | None:
    """Return the location that a Host header addresses, `global` or a region; None for an unknown host.

    Refusing unknown hosts prevents DNS rebinding: a web page can point its own name at 127.0.0.1, but not these names.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    name = match["name"].lower()
    if name in _GLOBAL_HOSTS:
        return GLOBAL
    regional = _REGIONAL.fullmatch(name)
    return regional["region"] if regional and regional["region"] in catalog.regional_regions() else None

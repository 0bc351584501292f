"""Names of resources, and the endpoint a request was meant for."""

from __future__ import annotations

import dataclasses
import re

from aip_magics import catalog
from aip_magics.resource_names import RESOURCE

GLOBAL = "global"

_MOST = 128
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::\d{1,5})?")
_REGIONAL = re.compile(r"(?P<region>[a-z0-9-]+)-ml\.googleapis\.com")
_GLOBAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "ml.googleapis.com", "storage.googleapis.com"})


@dataclasses.dataclass(frozen=True)
class ModelKey:
    """One model. `location` is `global` or a region: each endpoint of the service had its own namespace."""

    location: str
    project: str
    model: str

    @property
    def name(self) -> str:
        return f"projects/{self.project}/models/{self.model}"

    def child(self, version: str) -> VersionKey:
        return VersionKey(self.location, self.project, self.model, version)

    @property
    def regional(self) -> bool:
        return self.location != GLOBAL


@dataclasses.dataclass(frozen=True)
class VersionKey(ModelKey):
    version: str

    @property
    def name(self) -> str:
        return f"{self.parent.name}/versions/{self.version}"

    @property
    def parent(self) -> ModelKey:
        return ModelKey(self.location, self.project, self.model)


def is_resource_id(text: str) -> bool:
    """Whether this may name a model or version: a letter, then letters, digits, underscores; at most 128."""
    return len(text) <= _MOST and RESOURCE.fullmatch(text) is not None


def location_of(host: str) -> str | None:
    """`global` or the region that this Host header addresses; None for a host we do not answer for.

    Refusing all other names is what stops DNS rebinding: a web page can point its own name at 127.0.0.1, not ours.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    name = match["name"].lower()
    if name in _GLOBAL_HOSTS:
        return GLOBAL
    regional = _REGIONAL.fullmatch(name)
    return regional["region"] if regional and regional["region"] in catalog.regional_regions() else None

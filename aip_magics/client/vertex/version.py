"""`VertexVersion`: a version of a cell with what only Vertex AI knows of it."""

from __future__ import annotations

import dataclasses

from aip_magics.spec import Version


@dataclasses.dataclass(frozen=True)
class VertexVersion(Version):
    """A version of a Vertex AI Model, with its deployment.

    Attributes:
        imageUri: The image that serves it, where `container` names none: a prebuilt one, or one of ours.
        modelVersion: Its own name, `projects/P/locations/L/models/M@3`. `name` ends with its alias instead.
        versionAliases: All its aliases.
        endpoint: The endpoint of its model.
        deployedModelId: The deployment at the endpoint; None if it is not deployed.
        trafficPercentage: Its share of the requests to the endpoint.
    """

    imageUri: str | None = None
    modelVersion: str | None = None
    versionAliases: tuple[str, ...] | None = None
    endpoint: str | None = None
    deployedModelId: str | None = None
    trafficPercentage: int | None = None

    @classmethod
    def of(cls, version: Version) -> VertexVersion:
        """Return the version with the further fields, which are not set."""
        if isinstance(version, cls):
            return version
        return cls(**{field.name: getattr(version, field.name) for field in dataclasses.fields(version)})


def is_unfinished_image(uri: str | None) -> bool:
    """Whether a URI is that of an image of ours whose name and tag are added when its version is created."""
    return bool(uri and uri.endswith("/"))

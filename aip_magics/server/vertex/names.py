"""Names of Vertex AI's resources, and the keys of their rows.

Requests name the project by id or number, answers by number; rows are kept under the number. The location of a row is
`vertex:REGION`, which no endpoint of AI Platform's API has.
"""

from __future__ import annotations

import dataclasses
import re
import secrets

from starlette.requests import Request

from aip_magics.server.api.locations import vertex_regions
from aip_magics.server.api.projects import get_project_number
from aip_magics.server.names import ModelKey
from aip_magics.server.vertex.error_texts import field_error

_PREFIX = "vertex:"
_MODEL_NAME = re.compile(r"projects/([^/]+)/locations/([^/]+)/models/([^/@]+)(?:@([^/@]+))?")


@dataclasses.dataclass(frozen=True)
class Parent:
    """`projects/P/locations/L` of a request. `location` is as in rows, `project` the number."""

    location: str
    project: str

    @property
    def name(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def region(self) -> str:
        return self.location.removeprefix(_PREFIX)

    def child(self, resource_id: str) -> ModelKey:
        """Return the key of a model or endpoint."""
        return ModelKey(self.location, self.project, resource_id)


def parent_of(request: Request) -> Parent:
    """Return the parent in the request's path; InvalidArgument for an unknown location."""
    return make_parent(request.path_params["project"], request.path_params["location"])


def make_parent(project: str, region: str) -> Parent:
    """Return the parent of a project's id or number and a region."""
    if region not in vertex_regions():
        raise field_error("name", f"Vertex AI has no location {region[:200]!r}: use a region such as us-central1.")
    return Parent(f"{_PREFIX}{region}", str(int(get_project_number(project))))


def parent_of_key(key: ModelKey) -> Parent:
    """Return the parent of the key of a model or endpoint."""
    return Parent(key.location, key.project)


def is_vertex(key: ModelKey) -> bool:
    """Return whether the key is one of Vertex AI's API."""
    return key.location.startswith(_PREFIX)


def model_name(key: ModelKey, version: int | str = "") -> str:
    """Return `projects/NUMBER/locations/L/models/M`, with `@VERSION` if there is one."""
    return f"{parent_of_key(key).name}/models/{key.model}" + (f"@{version}" if version else "")


def endpoint_name(key: ModelKey) -> str:
    """Return `projects/NUMBER/locations/L/endpoints/E`."""
    return f"{parent_of_key(key).name}/endpoints/{key.model}"


def new_id() -> str:
    """Return an id as the service generates it, of 19 digits; the ids of clients are shorter or no numbers."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def split_version(model_id: str) -> tuple[str, str]:
    """Split `M@VERSION` into model and version or alias; the latter is empty without `@`."""
    model, _, version = model_id.partition("@")
    return model, version


def parse_model_name(field: str, name: str, parent: Parent) -> tuple[ModelKey, str]:
    """Return the key of a model in the parent and the version or alias, which may be empty, of a full name.

    InvalidArgument for another form, and for a model in another project or location.
    """
    match = _MODEL_NAME.fullmatch(name)
    if match is None:
        text = f"Invalid resource name {name[:300]!r}: expected projects/PROJECT/locations/LOCATION/models/MODEL."
        raise field_error(field, text)
    project, region, model, version = match.groups()
    if make_parent(project, region) != parent:
        raise field_error(field, f"The model must be in the project and location of the request: {parent.name}.")
    return parent.child(model), version or ""

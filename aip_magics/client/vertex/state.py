"""What exists of a model at Vertex AI: its versions and its endpoint, read with two requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from aip_magics.client import paging
from aip_magics.client.transport import Transport
from aip_magics.client.vertex import calls, operations, responses, views
from aip_magics.client.vertex.ids import endpoint_id
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.client.vertex.views import Json
from aip_magics.errors import FailedPrecondition, NotFound
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation


@dataclasses.dataclass(frozen=True)
class ModelState:
    """The versions of a model, the oldest first, and its endpoint; either may be missing.

    `creating` is the number of the version that an operation is deploying, empty without one.
    """

    place: Place
    model_id: str
    versions: tuple[Json, ...]
    endpoint: Json | None
    creating: str = ""

    @property
    def exists(self) -> bool:
        return bool(self.versions) or self.endpoint is not None

    def find(self, name: str) -> Json | None:
        """The version with this alias or number."""
        return next((one for one in self.versions if views.has_name(one, name)), None)

    def require(self, name: str) -> Json:
        """The version with this alias or number; NotFound without one."""
        found = self.find(name)
        if found is None:
            text = _("model {model} has no version {name}", model=self.model_id, name=name)
            raise NotFound(
                text, code=404, status="NOT_FOUND", where="VERSION", fix=f"%aip_list --model {self.model_id}"
            )
        return found

    def deployment(self, version: Json) -> Json | None:
        """The deployed model of a version; None if it is not deployed."""
        return views.find_deployment(self.endpoint, version, self.model_id)

    def require_deployment(self, version: Json, fix: str = "") -> Json:
        """The deployed model of a version; FailedPrecondition, by default with the fix to deploy it, if it has none."""
        self.require_not_creating(version)
        found = self.deployment(version)
        if found is None:
            name = views.version_name(version)
            raise FailedPrecondition(
                _("version {version} of model {model} is not deployed", version=name, model=self.model_id),
                code=400,
                status="FAILED_PRECONDITION",
                where=f"{self.model_id}/{name}",
                fix=fix
                or _("deploy it again: %aip_deploy {version} --model {model}", version=name, model=self.model_id),
            )
        return found

    def is_creating(self, version: Json) -> bool:
        """Whether an operation deploys a version."""
        return bool(self.creating) and views.version_number(version) == self.creating

    def require_not_creating(self, version: Json) -> None:
        """FailedPrecondition while an operation deploys the version."""
        if self.is_creating(version):
            raise being_deployed(self.model_id, views.version_name(version))

    def traffic(self, version: Json) -> int:
        """The share of the requests, in percent, that a version gets."""
        deployed = self.deployment(version)
        return views.traffic_split(self.endpoint).get(str(deployed["id"]), 0) if deployed else 0

    def without(self, version: Json) -> ModelState:
        """The state once a version is deleted."""
        gone, endpoint = self.deployment(version), self.endpoint
        if endpoint is not None and gone is not None:
            kept = [one for one in endpoint["deployedModels"] if one is not gone]
            endpoint = {**endpoint, "deployedModels": kept}
        versions = tuple(one for one in self.versions if one is not version)
        return dataclasses.replace(self, versions=versions, endpoint=endpoint)

    def view(self, version: Json) -> VertexVersion:
        return views.version(self.place, version, self.model_id, self.endpoint, creating=self.is_creating(version))


def read_state(transport: Transport, place: Place, model: str) -> ModelState:
    """Read the state of a model, given by its ID or full name.

    While an operation deploys to the endpoint, the newest version that is not deployed counts as the one that it
    deploys: the API does not tell.
    """
    model_id, name = place.model_id(model), place.model(model)
    try:
        items = paging.items(transport, "models", lambda token: calls.list_versions(name, token))
        found = tuple(map(responses.model, items))
    except NotFound:
        found = ()
    versions = tuple(sorted(found, key=lambda one: int(views.version_number(one) or 0)))
    state = ModelState(place, model_id, versions, find_endpoint(transport, place, model_id))
    undeployed = [one for one in versions if state.deployment(one) is None]
    if state.endpoint is None or not undeployed or find_deploying(transport, place, model_id) is None:
        return state
    return dataclasses.replace(state, creating=views.version_number(undeployed[-1]))


def being_deployed(model_id: str, version: str) -> FailedPrecondition:
    """The error for a change that has to wait until a version is deployed."""
    return FailedPrecondition(
        _("version {version} of model {model} is still being deployed", version=version, model=model_id),
        code=400,
        status="FAILED_PRECONDITION",
        where=f"{model_id}/{version}",
        fix=wait_fix(),
    )


def wait_fix() -> str:
    return _("wait until the operation is done: %aip_operations lists it; then run the command again")


def find_model(transport: Transport, place: Place, model: str) -> Json | None:
    """The Vertex Model of a model: its default version; None if it has none."""
    return _find(transport, place.model(model), responses.model)


def find_endpoint(transport: Transport, place: Place, model: str) -> Json | None:
    """The endpoint of a model; None if it has none."""
    return _find(transport, place.endpoint(model), responses.endpoint)


def _find(transport: Transport, name: str, read: Callable[[Any], Json]) -> Json | None:
    try:
        return read(transport.send(calls.get(name)))
    except NotFound:
        return None


def find_deploying(transport: Transport, place: Place, model_id: str) -> Operation | None:
    """The running operation that deploys to the endpoint of a model, which has one at a time; None without one.

    Only the endpoint's operations are read: a region has those of all models and jobs of months.
    """
    owner = f"endpoints/{endpoint_id(model_id)}"
    path = f"{place.parent}/{owner}/operations"
    items = paging.items(transport, "operations", lambda token: calls.list_page(path, token))
    found = (operations.operation(place, item) for item in items)
    return next((one for one in found if operations.is_of(one, owner, "CREATE_VERSION")), None)

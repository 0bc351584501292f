"""The requests of each command to Vertex AI as values, for `--dry-run` and `--show`.

A change of an existing model needs the IDs of what is deployed, so its state is read first; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aip_magics.client import Request, Wait
from aip_magics.client.vertex import bodies, calls, changes
from aip_magics.client.vertex.client import VertexClient
from aip_magics.client.vertex.place import Place
from aip_magics.spec import Model, Version
from aip_magics.targets.plans import Requests


class VertexPlans:
    """Those of one place.

    Args:
        place: The project and region.
        connect: Returns the client of a connected target.
        embedded: Whether the embedded server answers.
    """

    def __init__(self, place: Place, connect: Callable[[], VertexClient], *, embedded: bool) -> None:
        self._place = place
        self._connect = connect
        self._embedded = embedded

    def get_model(self, model: str) -> Requests:
        return [calls.get(self._place.model(model)), calls.get(self._place.endpoint(model))]

    def get_version(self, model: str, version: str) -> Requests:
        return [calls.get(self._place.version(model, version)), calls.get(self._endpoint(model, version))]

    def get_stats(self, model: str, version: str) -> Requests:
        return self.get_version(model, version)

    def get_operation(self, operation: str) -> Requests:
        return [calls.get(self._place.operation(operation))]

    def list_models(self) -> Requests:
        return [calls.list_page(f"{self._place.parent}/{kind}") for kind in ("endpoints", "models")]

    def list_versions(self, model: str) -> Requests:
        return [calls.list_versions(self._place.model(model)), calls.get(self._place.endpoint(model))]

    def list_operations(self, page_size: int) -> Requests:
        return [calls.list_page(f"{self._place.parent}/operations", page_size=page_size)]

    def cancel(self, operation: str) -> Requests:
        return [calls.cancel(self._place.operation(operation))]

    def create_model(self, model: Model) -> Requests:
        return [calls.create_endpoint(self._place, model.id, bodies.endpoint(model)), Wait()]

    def create_version(self, model: str, version: Version) -> Requests:
        """Those of a first version, whose endpoint exists."""
        return first_version(self._place, Model(name=self._place.model_id(model)), version, embedded=self._embedded)

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
        return changes.update_model(self._connect().require_state(model), fields, mask)

    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
        return changes.update_version(*self._connect().named_state(model, version), fields, mask)

    def delete_model(self, model: str, versions: Sequence[str] = ()) -> Requests:
        requests = changes.delete_all(self._connect().require_state(model)) if versions else []
        return [*requests, calls.delete(self._place.endpoint(model)), Wait()]

    def delete_version(self, model: str, version: str) -> Requests:
        return [*changes.delete_version(*self._connect().named_state(model, version)), Wait()]

    def undeploy(self, model: str, version: str) -> Requests:
        return [*changes.undeploy(*self._connect().named_state(model, version)), Wait()]

    def set_default(self, model: str, version: str) -> Requests:
        state, name = self._connect().named_state(model, version)
        return changes.set_traffic(state, {name: calls.ALL})

    def get_traffic(self, model: str) -> Requests:
        return self.list_versions(model)

    def set_traffic(self, model: str, split: Mapping[str, int]) -> Requests:
        return changes.set_traffic(self._connect().require_state(model), split)

    def predict(self, model: str, body: bytes, version: str | None) -> Requests:
        if not (version and self._embedded):
            return [calls.predict(self._endpoint(model, version), body)]
        state, name = self._connect().named_state(model, version)
        id_ = str(state.require_deployment(state.require(name))["id"])
        return [calls.predict(self._place.endpoint(state.model_id), body, id_)]

    def _endpoint(self, model: str, version: str | None) -> str:
        return self._place.endpoint(self._place.version_ids(model, version)[0] if version else model)


def first_version(place: Place, model: Model, version: Version, *, embedded: bool) -> list[Request | Wait]:
    """The requests that upload and deploy the first version of a model to its endpoint."""
    name = place.version(model.id, version.id)
    uploaded = bodies.uploaded_model(model, version, is_first=True, is_default=True)
    pushed = embedded and bodies.is_own_image(version)
    return [
        *([calls.push_image(bodies.own_image(version, model.id))] if pushed else []),
        calls.upload(place, model.id, uploaded, exists=False),
        Wait(),
        calls.deploy(place.endpoint(model.id), bodies.deployed_model(model, version, name), {calls.NEW: calls.ALL}),
    ]

"""`VertexClient`: Vertex AI's API as the `Service` of a target, in the terms of a cell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aip_magics.client import paging
from aip_magics.client.calls import Request, Wait
from aip_magics.client.operation_watch import OperationUpdate, watch_operation
from aip_magics.client.service import Predictor
from aip_magics.client.transport import Transport
from aip_magics.client.vertex import bodies, calls, changes, operations, responses, views
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.predict import NO_TRAFFIC, give_traffic_fix, no_own_url, predict, predict_by_share
from aip_magics.client.vertex.state import (
    ModelState,
    being_deployed,
    find_deploying,
    find_endpoint,
    find_model,
    read_state,
    wait_fix,
)
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.client.vertex.views import Json
from aip_magics.errors import AlreadyExists, ApiError, FailedPrecondition, FieldError, NotFound, OperationFailed
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version

_DONE = Operation(name="", done=True)


class VertexClient:
    """Calls for one project and region. Model, version and operation are given by id or by full name.

    Args:
        transport: Sends the requests.
        place: The project and region.
        poll_seconds: Upper bound of the seconds between two polls of an operation.
        embedded: Whether the embedded server answers, which has two extensions: images without a registry, and
            predictions by one version of an endpoint.
    """

    def __init__(
        self, transport: Transport, place: Place, *, poll_seconds: float = 5.0, embedded: bool = False
    ) -> None:
        self.transport = transport
        self.place = place
        self.project = place.project
        self.embedded = embedded
        self._poll_seconds = poll_seconds

    # models
    def create_model(self, model: Model) -> Model:
        """Create the endpoint of a model, which has no version yet."""
        endpoint = self._create_endpoint(model)
        return views.model(self.place, self.place.model_id(model.id), None, endpoint)

    def get_model(self, model: str) -> Model:
        """The model; NotFound if it has neither an endpoint nor a version."""
        found = self.find_model(model)
        if found is None:
            raise _no_model(self.place.model(model))
        return found

    def find_model(self, model: str) -> Model | None:
        found = find_model(self.transport, self.place, model)
        endpoint = find_endpoint(self.transport, self.place, model)
        if found is None and endpoint is None:
            return None
        return views.model(self.place, self.place.model_id(model), found, endpoint)

    def list_models(self) -> list[Model]:
        listed = map(responses.endpoint, self._items("endpoints", f"{self.place.parent}/endpoints"))
        endpoints = {views.short_id(one): one for one in listed}
        found = []
        for model in map(responses.model, self._items("models", f"{self.place.parent}/models")):
            id_ = views.short_id(model)
            endpoint = endpoints.pop(views.short_id({"name": self.place.endpoint(id_)}), None)
            found.append(views.model(self.place, id_, model, endpoint))
        # An endpoint that was made for a model, whose name it shows, is that model before its first version.
        empty = [
            views.model(self.place, id_, None, one)
            for id_, one in endpoints.items()
            if not one.get("deployedModels") and one.get("displayName") == id_
        ]
        return [*found, *empty]

    def delete_model(self, model: str) -> Operation:
        """Delete the endpoint of a model that has no versions."""
        return self._change(changes.delete_model(self.require_state(model)))

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Update description and labels."""
        return self._change(changes.update_model(self.require_state(model), fields, mask))

    # versions
    def create_version(self, model: str, version: Version, requested: Model | None = None) -> Operation:
        """Upload a version and deploy it to the endpoint of its model, which is created if it is gone.

        A version of this name that is not deployed, as an interrupted run leaves it, is deployed as it is. The first
        version that is deployed gets all requests and becomes the default one; a later one gets none.

        Args:
            model: The model.
            version: The version, with its deploymentUri and image.
            requested: The requested fields of the model: those that it does not have yet are set with the version.
        """
        model_id = self.place.model_id(model)
        wanted = (requested or Model()).replace(name=model_id)
        version = version.replace(name=self.place.version_ids(model_id, version.id)[1])
        if not bodies.image_uri(version, model_id):
            raise FieldError(
                _("Vertex AI requires an image"),
                where="version.container.image",
                fix=_("add --image URI, or use %aip_deploy, which chooses one"),
            )
        self._finish_uploads(model_id)
        state = self._state(model_id)
        endpoint = state.endpoint if state.endpoint is not None else self._create_endpoint(wanted)
        _check_own(endpoint, model_id)
        if running := next(filter(state.is_creating, state.versions), None):
            raise being_deployed(model_id, views.version_name(running))
        serving = views.deployments(endpoint, model_id)
        existing = state.find(version.id)
        if existing is None:
            number = self._upload(wanted, version, state, is_default=not serving)
        else:
            _check_same(state, existing, version)
            number = views.version_number(existing)
            if not serving and not views.is_default(existing):
                self.transport.send(changes.make_default(state, existing))
        body = bodies.deployed_model(wanted, version, self.place.version(model_id, number))
        if serving:  # logging is a property of the model on AI Platform: a new version gets that of the others
            body = {**{name: serving[0][name] for name in bodies.LOGGING if name in serving[0]}, **body}
        split = {} if serving else {calls.NEW: calls.ALL}
        try:
            started = self.transport.send(calls.deploy(self.place.endpoint(model_id), body, split))
        except FailedPrecondition as error:
            if operations.BUSY in error.message:
                error.fix = wait_fix()
            raise
        return operations.operation(self.place, started, self.place.shown_version(model_id, version.id))

    def get_version(self, model: str, version: str) -> VertexVersion:
        state, name = self.named_state(model, version)
        return state.view(state.require(name))

    def list_versions(self, model: str) -> list[VertexVersion]:
        state = self.require_state(model)
        return [state.view(one) for one in state.versions]

    def deployed_versions(self, model: str = "") -> list[VertexVersion]:
        """The versions that are deployed, of one model or of all."""
        models = [self.place.model_id(model)] if model else [one.id for one in self.list_models()]
        return [version for name in models for version in self.list_versions(name) if version.deployedModelId]

    def delete_version(self, model: str, version: str) -> Operation:
        """Undeploy and delete a version (see `changes.delete_version`)."""
        return self._change(changes.delete_version(*self.named_state(model, version)))

    def undeploy(self, model: str, version: str) -> Operation:
        """Undeploy a version, which is kept and can be deployed again (see `changes.undeploy`)."""
        return self._change(changes.undeploy(*self.named_state(model, version)))

    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Update description, labels, replicas and request logging."""
        return self._change(changes.update_version(*self.named_state(model, version), fields, mask))

    def set_default(self, model: str, version: str) -> VertexVersion:
        """Send all requests to a version, and give it the alias `default`."""
        state, name = self.named_state(model, version)
        self._change(changes.set_traffic(state, {name: calls.ALL}))
        return self.get_version(state.model_id, name)

    # traffic
    def get_traffic(self, model: str) -> dict[str, int]:
        """Percent of the requests by version, of those that get any."""
        versions = self.list_versions(model)
        return {version.id: version.trafficPercentage for version in versions if version.trafficPercentage}

    def set_traffic(self, model: str, split: Mapping[str, int]) -> None:
        """Divide the requests among deployed versions; the one that gets all becomes the default one."""
        self._change(changes.set_traffic(self.require_state(model), split))

    def predict(self, model: str, body: bytes, version: str | None = None) -> dict[str, Any]:
        """Online prediction by the endpoint of a model, or by one version of it (see `predictor`)."""
        if version is not None:
            return self.predictor(model, version)(body)
        try:
            return predict(self.transport, self.place.endpoint(model), body)
        except NotFound as error:
            error.fix = error.fix or "%aip_list"
            raise
        except FailedPrecondition as error:
            if NO_TRAFFIC in error.message:
                error.fix = f"%aip_list --model {self.place.model_id(model)}"
            raise

    def predictor(self, model: str, version: str) -> Predictor:
        """Look up where a version is deployed, and return what asks it.

        A version that gets a part of the requests answers one of several; one that gets none cannot be asked, except on
        the embedded server. Errors as of `predict.predict`, and FailedPrecondition for a version without requests.
        """
        state, name = self.named_state(model, version)
        found = state.require(name)
        id_, endpoint = str(state.require_deployment(found)["id"]), self.place.endpoint(state.model_id)
        if self.embedded:
            return lambda body: predict(self.transport, endpoint, body, id_)
        percent = state.traffic(found)
        if not percent:
            raise FailedPrecondition(
                no_own_url(),
                where=f"{state.model_id}/{name}",
                fix=give_traffic_fix(state.model_id, views.version_name(found)),
            )
        return lambda body: predict_by_share(self.transport, endpoint, body, id_, percent)

    # extensions of the embedded server to AI Platform's API, which it does not have for this one
    def version_runtime(self, model: str, version: str) -> dict[str, Any]:
        raise _not_offered(self.place.shown_version(model, version))

    def version_stats(self, model: str, version: str) -> dict[str, Any]:
        raise _not_offered(self.place.shown_version(model, version))

    def version_logs(self, model: str, version: str, lines: int) -> dict[str, Any]:  # noqa: ARG002
        raise _not_offered(self.place.shown_version(model, version))

    # operations
    def get_operation(self, operation: str) -> Operation:
        return operations.operation(self.place, self.transport.send(calls.get(self.place.operation(operation))))

    def list_operations(self) -> list[Operation]:
        path = f"{self.place.parent}/operations"
        return [operations.operation(self.place, item) for item in self._items("operations", path)]

    def list_newest_operations(self, limit: int, *, newest_first: bool) -> tuple[list[Operation], bool]:
        path, size = f"{self.place.parent}/operations", limit if newest_first else calls.MAX_PAGE_SIZE
        pages = paging.pages(self.transport, "operations", lambda token: calls.list_page(path, token, size))
        read = (([operations.operation(self.place, item) for item in items], more) for items, more in pages)
        return paging.newest_operations(read, limit, newest_first=newest_first)

    def find_creation(self, version: Version) -> Operation | None:
        """The running operation that deploys a version, which the API does not name (see `find_deploying`)."""
        model_id, _name = self.place.version_ids("", version.name or "")
        found = find_deploying(self.transport, self.place, model_id)
        if found is None or found.metadata is None:
            return None
        return found.replace(metadata=found.metadata.replace(version=Version(name=version.name)))

    def cancel(self, operation: str) -> None:
        self.transport.send(calls.cancel(self.place.operation(operation)))

    def watch(self, operation: Operation, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[OperationUpdate]:
        """Poll until the operation is done (see `watch_operation`), and explain a failure."""
        try:
            yield from watch_operation(operation, self.get_operation, max_delay=self._poll_seconds, sleep=sleep)
        except OperationFailed as error:
            raise operations.explained(error) from None

    def wait(self, operation: Operation, *, sleep: Callable[[float], None] = time.sleep) -> Operation:
        """The operation when it is done. Raises as `watch_operation` does."""
        for update in self.watch(operation, sleep=sleep):
            operation = update.operation
        return operation

    def request_url(self, request: Request) -> str:
        return self.transport.url(request)

    def require_state(self, model: str) -> ModelState:
        """The state of a model; NotFound if it has neither an endpoint nor a version."""
        state = self._state(model)
        if not state.exists:
            raise _no_model(self.place.model(model))
        return state

    def named_state(self, model: str, version: str) -> tuple[ModelState, str]:
        """The state of the model of a version, and the alias or number of the version."""
        model_id, name = self.place.version_ids(model, version)
        return self.require_state(model_id), name

    def _state(self, model: str) -> ModelState:
        return read_state(self.transport, self.place, model)

    def _change(self, requests: Sequence[Request | Wait]) -> Operation:
        """Send the requests of a change, and return the last one's operation, which may run; a finished one if none."""
        operation = _DONE
        for request in requests:
            if isinstance(request, Wait):
                operation = self.wait(operation)
            else:
                answer = self.transport.send(request)
                is_operation = "/operations/" in str(answer.get("name"))
                operation = operations.operation(self.place, answer) if is_operation else _DONE
        return operation

    def _items(self, key: str, path: str) -> Iterator[Any]:
        return paging.items(self.transport, key, lambda token: calls.list_page(path, token))

    def _start(self, request: Request) -> Operation:
        return operations.operation(self.place, self.transport.send(request))

    def _create_endpoint(self, model: Model) -> Json:
        model_id = self.place.model_id(model.id)
        self.wait(self._start(calls.create_endpoint(self.place, model_id, bodies.endpoint(model))))
        return responses.endpoint(self.transport.send(calls.get(self.place.endpoint(model_id))))

    def _finish_uploads(self, model_id: str) -> None:
        """Wait for an upload that an interrupted run left behind, so that its version is not uploaded twice."""
        for found in self.list_operations():  # of the region: the model may not exist yet
            if operations.is_of(found, f"models/{model_id}", "UPLOAD_MODEL"):
                self.wait(found)

    def _upload(self, model: Model, version: Version, state: ModelState, *, is_default: bool) -> str:
        """Upload the version, and return its number."""
        if self.embedded and bodies.is_own_image(version):
            self.transport.send(calls.push_image(bodies.own_image(version, model.id)))
        body = bodies.uploaded_model(model, version, is_first=not state.versions, is_default=is_default)
        request = calls.upload(self.place, model.id, body, exists=bool(state.versions))
        done = self.wait(self._start(request))
        return str((done.response or {}).get("modelVersionId") or "1")


def _check_own(endpoint: Json, model_id: str) -> None:
    """FailedPrecondition for an endpoint that serves another model: `a_b` and `a-b` have an endpoint of one name."""
    if others := views.other_models(endpoint, model_id):
        text = _(
            "endpoint {endpoint} serves another model: {models}",
            endpoint=views.short_id(endpoint),
            models=", ".join(sorted(others)),
        )
        raise FailedPrecondition(text, where="model.name", fix=_("use another name for the model"))


def _check_same(state: ModelState, existing: Json, version: Version) -> None:
    """AlreadyExists unless an existing version is the requested one, only not deployed."""
    wanted = bodies.uploaded_model(Model(name=state.model_id), version, is_first=False, is_default=False)
    fields = [wanted.get("artifactUri", "") != str(existing.get("artifactUri") or "").rstrip("/")]
    fields.append(wanted["containerSpec"] != bodies.known_container_fields(existing.get("containerSpec") or {}))
    if state.deployment(existing) is not None or any(fields):
        raise AlreadyExists(
            _("version {version} of model {model} already exists", version=version.id, model=state.model_id),
            code=409,
            status="ALREADY_EXISTS",
            where="version.name",
            fix=_("use another name for the version"),
        )


def _no_model(name: str) -> NotFound:
    return NotFound(_("model {name} not found", name=name), code=404, status="NOT_FOUND", fix="%aip_list")


def _not_offered(name: str) -> ApiError:
    text = _("Vertex AI tells neither the runtime nor the statistics of a version")
    return ApiError(text, code=501, status="UNIMPLEMENTED", where=name)

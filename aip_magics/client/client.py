"""The v1 API as Python calls: models, versions, operations, predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aip_magics.client import calls, paging
from aip_magics.client.calls import Request
from aip_magics.client.operation_watch import OperationUpdate, watch_operation
from aip_magics.client.service import Predictor
from aip_magics.client.transport import Transport
from aip_magics.errors import FailedPrecondition, NotFound
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version


class Client:
    """Calls for one project at one endpoint. Model, version and operation are given by id or by full name."""

    def __init__(self, transport: Transport, project: str, *, poll_seconds: float = 2.0) -> None:
        self.transport = transport
        self.project = project
        self._poll_seconds = poll_seconds

    # models
    def create_model(self, model: Model) -> Model:
        return self._model(self.transport.send(calls.create_model(self.project, model)))

    def get_model(self, model: str) -> Model:
        return self._model(self.transport.send(calls.get(calls.model_name(self.project, model))))

    def find_model(self, model: str) -> Model | None:
        """The model, None if it does not exist."""
        try:
            return self.get_model(model)
        except NotFound:
            return None

    def list_models(self) -> list[Model]:
        items = paging.items(self.transport, "models", lambda token: calls.list_models(self.project, token))
        return [self._model(item) for item in items]

    def delete_model(self, model: str) -> Operation:
        """Delete a model that has no versions."""
        return self._operation(self.transport.send(calls.delete(calls.model_name(self.project, model))))

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Update the fields of `mask` to their values in `fields`, or clear those that are not in `fields`."""
        return self._patch(calls.model_name(self.project, model), fields, mask)

    # versions
    def create_version(self, model: str, version: Version, requested: Model | None = None) -> Operation:  # noqa: ARG002
        request = calls.create_version(calls.model_name(self.project, model), version)
        return self._operation(self.transport.send(request))

    def get_version(self, model: str, version: str) -> Version:
        name = calls.version_name(self.project, model, version)
        return self._version(self.transport.send(calls.get(name)))

    def list_versions(self, model: str) -> list[Version]:
        name = calls.model_name(self.project, model)
        items = paging.items(self.transport, "versions", lambda token: calls.list_versions(name, token))
        return [self._version(item) for item in items]

    def delete_version(self, model: str, version: str) -> Operation:
        name = calls.version_name(self.project, model, version)
        return self._operation(self.transport.send(calls.delete(name)))

    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Update the fields of `mask` to their values in `fields`, or clear those that are not in `fields`."""
        return self._patch(calls.version_name(self.project, model, version), fields, mask)

    def set_default(self, model: str, version: str) -> Version:
        name = calls.version_name(self.project, model, version)
        return self._version(self.transport.send(calls.set_default(name)))

    def undeploy(self, model: str, version: str) -> Operation:
        """Always an error: the API does not have it."""
        text = _("AI Platform serves a version for as long as it exists")
        name = calls.version_name(self.project, model, version)
        raise FailedPrecondition(text, where=name, fix=_("delete the version: %aip_delete"))

    # traffic
    def get_traffic(self, model: str) -> dict[str, int]:
        """Percent of the requests by version: on this API all go to the default version, if there is one."""
        default = self.get_model(model).defaultVersion
        return {default.id: 100} if default else {}

    def set_traffic(self, model: str, split: Mapping[str, int]) -> None:
        """Make the version that gets all requests the default version.

        Args:
            model: The model.
            split: Percent by version, adding up to 100.

        Raises:
            ValueError: Several versions get requests, which this API does not have (`Capability.TRAFFIC_SPLIT`).
        """
        [version] = [version for version, percent in split.items() if percent]
        self.set_default(model, version)

    # extensions of the embedded server
    def version_runtime(self, model: str, version: str) -> dict[str, Any]:
        """The Python that serves a version, and the `libraries` that its nodes have imported, name → version."""
        request = calls.version_runtime(calls.version_name(self.project, model, version))
        found: dict[str, Any] = self.transport.send(request)
        return found

    def version_stats(self, model: str, version: str) -> dict[str, Any]:
        """Counters, latencies (ms) and nodes of a version since the server started."""
        request = calls.version_stats(calls.version_name(self.project, model, version))
        found: dict[str, Any] = self.transport.send(request)
        return found

    def version_logs(self, model: str, version: str, lines: int) -> dict[str, Any]:
        """The last lines of the logs `access`, `nodes` and `requests`."""
        request = calls.version_logs(calls.version_name(self.project, model, version), lines)
        found: dict[str, Any] = self.transport.send(request)
        return found

    # predictions
    def predict(self, model: str, body: bytes, version: str | None = None) -> dict[str, Any]:
        """Online prediction.

        Args:
            model: The model.
            body: The JSON request.
            version: The version, by default the model's default version.

        Returns:
            The JSON response, with `predictions`, one per instance.

        Raises:
            PredictionError: The model failed.
        """
        name = calls.version_name(self.project, model, version) if version else ""
        name = name or calls.model_name(self.project, model)
        answer: dict[str, Any] = self.transport.send(calls.predict(name, body))
        return answer

    def predictor(self, model: str, version: str) -> Predictor:
        return lambda body: self.predict(model, body, version)

    # operations
    def get_operation(self, operation: str) -> Operation:
        return self._operation(self.transport.send(calls.get(calls.operation_name(self.project, operation))))

    def list_operations(self) -> list[Operation]:
        items = paging.items(self.transport, "operations", lambda token: calls.list_operations(self.project, token))
        return [self._operation(item) for item in items]

    def list_newest_operations(self, limit: int, *, newest_first: bool) -> tuple[list[Operation], bool]:
        """At most `limit` operations, the newest first, and whether there are older ones.

        The API does not define the order of a listing. Where it lists the newest first, as the embedded server does,
        only the pages of these operations are requested, otherwise all.
        """
        size = limit if newest_first else calls.MAX_PAGE_SIZE
        pages = paging.pages(
            self.transport, "operations", lambda token: calls.list_operations(self.project, token, size)
        )
        read = (([self._operation(item) for item in items], more) for items, more in pages)
        return paging.newest_operations(read, limit, newest_first=newest_first)

    def find_creation(self, version: Version) -> Operation | None:
        """The running operation that creates a version of this full name; None if there is none."""
        for operation in self.list_operations():
            metadata = operation.metadata
            if operation.done or metadata is None or metadata.operationType != "CREATE_VERSION":
                continue
            if metadata.version is not None and metadata.version.name == version.name:
                return operation
        return None

    def cancel(self, operation: str) -> None:
        self.transport.send(calls.cancel(calls.operation_name(self.project, operation)))

    def watch(self, operation: Operation, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[OperationUpdate]:
        """Poll until the operation is done (see `watch_operation`)."""
        return watch_operation(operation, self.get_operation, max_delay=self._poll_seconds, sleep=sleep)

    def wait(self, operation: Operation, *, sleep: Callable[[float], None] = time.sleep) -> Operation:
        """The operation when it is done. Raises as `watch_operation` does."""
        for update in self.watch(operation, sleep=sleep):
            operation = update.operation
        return operation

    def _patch(self, name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        return self._operation(self.transport.send(calls.patch(name, fields, mask)))

    def request_url(self, request: Request) -> str:
        return self.transport.url(request)

    # Responses may have fields that we do not know: they are ignored.
    def _model(self, data: Any) -> Model:
        return Model.from_json(data, strict=False)

    def _version(self, data: Any) -> Version:
        return Version.from_json(data, strict=False)

    def _operation(self, data: Any) -> Operation:
        return Operation.from_json(data, strict=False)

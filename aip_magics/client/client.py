"""The v1 API as Python calls: models, versions, operations, predict."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aip_magics.client import calls
from aip_magics.client.calls import Request
from aip_magics.client.operation_watch import OperationUpdate, watch_operation
from aip_magics.client.transport import Transport
from aip_magics.connection_errors import check_endpoint_fix
from aip_magics.errors import ApiError, NotFound
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version

# A project has at most 100 models, 200 versions, and the operations of some weeks.
MAX_PAGES = 1000
MAX_ITEMS = 20_000
MAX_LIST_BYTES = 64 << 20
MAX_TOKEN_CHARS = 4096


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
        items = self._items("models", lambda token: calls.list_models(self.project, token))
        return [self._model(item) for item in items]

    def delete_model(self, model: str) -> Operation:
        """Delete a model that has no versions."""
        return self._operation(self.transport.send(calls.delete(calls.model_name(self.project, model))))

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Update the fields of `mask` to their values in `fields`, or clear those that are not in `fields`."""
        return self._patch(calls.model_name(self.project, model), fields, mask)

    # versions
    def create_version(self, model: str, version: Version) -> Operation:
        request = calls.create_version(calls.model_name(self.project, model), version)
        return self._operation(self.transport.send(request))

    def get_version(self, model: str, version: str) -> Version:
        name = calls.version_name(self.project, model, version)
        return self._version(self.transport.send(calls.get(name)))

    def list_versions(self, model: str) -> list[Version]:
        name = calls.model_name(self.project, model)
        items = self._items("versions", lambda token: calls.list_versions(name, token))
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

    # operations
    def get_operation(self, operation: str) -> Operation:
        return self._operation(self.transport.send(calls.get(calls.operation_name(self.project, operation))))

    def list_operations(self) -> list[Operation]:
        items = self._items("operations", lambda token: calls.list_operations(self.project, token))
        return [self._operation(item) for item in items]

    def list_newest_operations(self, limit: int, *, newest_first: bool) -> tuple[list[Operation], bool]:
        """At most `limit` operations, the newest first, and whether there are older ones.

        The API does not define the order of a listing. Where it lists the newest first, as the embedded server does,
        only the pages of these operations are requested, otherwise all.
        """
        found: list[Operation] = []
        has_more = False
        size = limit if newest_first else calls.MAX_PAGE_SIZE
        for page in self._pages("operations", lambda token: calls.list_operations(self.project, token, size)):
            items, has_more = page
            found += map(self._operation, items)
            if newest_first and len(found) >= limit:
                break
        found.sort(key=_create_time, reverse=True)  # keeps the order of those of the same second
        return found[:limit], has_more or len(found) > limit

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

    def _items(self, key: str, request: Callable[[str], Request]) -> Iterator[Any]:
        return itertools.chain.from_iterable(items for items, _more in self._pages(key, request))

    def _pages(self, key: str, request: Callable[[str], Request]) -> Iterator[tuple[Sequence[Any], bool]]:
        """Request page after page; yield its items, and whether there is another page."""
        token, seen, count, before = "", set[str](), 0, self.transport.bytes_received
        for _unused in range(MAX_PAGES):
            page = self.transport.send(request(token))
            items = page.get(key) or ()
            if not isinstance(items, (list, tuple)):
                raise self._listing_error(key, _("expected a list"))
            count += len(items)
            token = str(page.get("nextPageToken") or "")
            yield items, bool(token)
            if not token:
                return
            if token in seen or len(token) > MAX_TOKEN_CHARS:
                raise self._listing_error(key, _("repeated or invalid page token"))
            seen.add(token)
            if count > MAX_ITEMS or self.transport.bytes_received - before > MAX_LIST_BYTES:
                break
        raise self._listing_error(key, _("more than {count} entries", count=count))

    def _listing_error(self, key: str, reason: str) -> ApiError:
        text = _("could not list {key}: {reason}", key=key, reason=reason)
        return ApiError(text, where=self.transport.base_url, fix=check_endpoint_fix())

    # Responses may have fields that we do not know: they are ignored.
    def _model(self, data: Any) -> Model:
        return Model.from_json(data, strict=False)

    def _version(self, data: Any) -> Version:
        return Version.from_json(data, strict=False)

    def _operation(self, data: Any) -> Operation:
        return Operation.from_json(data, strict=False)


def _create_time(operation: Operation) -> str:
    """A key that sorts by time: without the Z, which sorts after the point of a fraction of a second."""
    return ((operation.metadata.createTime if operation.metadata else None) or "").rstrip("Z")

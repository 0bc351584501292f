"""The v1 API as Python calls: models, versions, operations, predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aip_magics.client import calls
from aip_magics.client.calls import Request
from aip_magics.client.transport import Transport
from aip_magics.errors import ApiError, NotFound, OperationFailed, Unavailable
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version

# A project has 100 models, 200 versions, and the operations of some weeks.
PAGES = 1000
ITEMS = 20_000
LIST_BYTES = 64 << 20
TOKEN_CHARS = 4096
WAIT_SECONDS = 2 * 3600.0  # for an operation; a version with GPUs was up after half an hour


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
        """The model, or None where there is none of that name."""
        try:
            return self.get_model(model)
        except NotFound:
            return None

    def list_models(self) -> list[Model]:
        items = self._pages("models", lambda token: calls.list_models(self.project, token))
        return [self._model(item) for item in items]

    def delete_model(self, model: str) -> Operation:
        """Delete a model that has no versions."""
        return self._operation(self.transport.send(calls.delete(calls.model_name(self.project, model))))

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Change the fields of `mask`, which are in `fields` unless they are to be empty."""
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
        items = self._pages("versions", lambda token: calls.list_versions(name, token))
        return [self._version(item) for item in items]

    def delete_version(self, model: str, version: str) -> Operation:
        name = calls.version_name(self.project, model, version)
        return self._operation(self.transport.send(calls.delete(name)))

    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        """Change the fields of `mask`, which are in `fields` unless they are to be empty."""
        return self._patch(calls.version_name(self.project, model, version), fields, mask)

    def set_default(self, model: str, version: str) -> Version:
        name = calls.version_name(self.project, model, version)
        return self._version(self.transport.send(calls.set_default(name)))

    # extensions of the embedded server
    def version_runtime(self, model: str, version: str) -> dict[str, Any]:
        """The Python that serves a version and `libraries`, name → version, that its nodes really imported."""
        request = calls.version_runtime(calls.version_name(self.project, model, version))
        found: dict[str, Any] = self.transport.send(request)
        return found

    def version_stats(self, model: str, version: str) -> dict[str, Any]:
        """Counters, latencies (ms) and nodes of a version, since the server started."""
        request = calls.version_stats(calls.version_name(self.project, model, version))
        found: dict[str, Any] = self.transport.send(request)
        return found

    def version_logs(self, model: str, version: str, lines: int) -> dict[str, Any]:
        """The last lines of `access`, `nodes` and `requests`, each a list of texts."""
        request = calls.version_logs(calls.version_name(self.project, model, version), lines)
        found: dict[str, Any] = self.transport.send(request)
        return found

    # predictions
    def predict(self, model: str, body: bytes, version: str | None = None) -> dict[str, Any]:
        """Online prediction. `body` is the JSON request; the answer has `predictions`, one per instance.

        Without `version` the model's default version answers. PredictionError where the model refuses.
        """
        name = calls.version_name(self.project, model, version) if version else ""
        name = name or calls.model_name(self.project, model)
        answer: dict[str, Any] = self.transport.send(calls.predict(name, body))
        return answer

    # operations
    def get_operation(self, operation: str) -> Operation:
        return self._operation(self.transport.send(calls.get(calls.operation_name(self.project, operation))))

    def list_operations(self) -> list[Operation]:
        items = self._pages("operations", lambda token: calls.list_operations(self.project, token))
        return [self._operation(item) for item in items]

    def cancel(self, operation: str) -> None:
        self.transport.send(calls.cancel(calls.operation_name(self.project, operation)))

    def wait(
        self,
        operation: Operation,
        *,
        on_poll: Callable[[Operation], None] = lambda _unused: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Operation:
        """Poll until the operation is done; OperationFailed where it ended with an error, Unavailable after two hours.

        The first polls follow each other quickly, so that a version that is up in 0.3 s is not waited for longer.
        """
        pause, waited, name = 0.03, 0.0, operation.name or ""
        while not operation.done:
            if waited > WAIT_SECONDS:
                text = _("the operation is not done after {hours:g} hours", hours=WAIT_SECONDS / 3600)
                raise Unavailable(text, where=name, fix=_("wait for it again: {line}", line=f"%aip_attach {name}"))
            sleep(pause)
            waited += pause
            pause = min(pause * 1.5, self._poll_seconds)
            operation = self.get_operation(name)
            on_poll(operation)
        if operation.error is not None:
            raise OperationFailed(
                operation.error.message or _("the operation failed without a message"),
                operation=operation,
                where=operation.name or "",
            )
        return operation

    def _patch(self, name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Operation:
        return self._operation(self.transport.send(calls.patch(name, fields, mask)))

    def request_url(self, request: Request) -> str:
        return self.transport.url(request)

    def _pages(self, key: str, request: Callable[[str], Request]) -> Iterator[Any]:
        token, seen, count, begun = "", set[str](), 0, self.transport.received
        for _unused in range(PAGES):
            page = self.transport.send(request(token))
            items = page.get(key) or ()
            if not isinstance(items, (list, tuple)):
                raise self._no_list(key, _("it is no list"))
            count += len(items)
            yield from items
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
            if token in seen or len(token) > TOKEN_CHARS:
                raise self._no_list(key, _("a page token came twice, or is none"))
            seen.add(token)
            if count > ITEMS or self.transport.received - begun > LIST_BYTES:
                break
        raise self._no_list(key, _("after {count} entries there are more", count=count))

    def _no_list(self, key: str, why: str) -> ApiError:
        text = _("the list of {key} cannot be read: {why}", key=key, why=why)
        return ApiError(text, where=self.transport.base_url, fix=_("look at the endpoint, and at a proxy in between"))

    # Replies may have fields that we do not know: they are left out rather than refused.
    def _model(self, data: Any) -> Model:
        return Model.from_json(data, strict=False)

    def _version(self, data: Any) -> Version:
        return Version.from_json(data, strict=False)

    def _operation(self, data: Any) -> Operation:
        return Operation.from_json(data, strict=False)

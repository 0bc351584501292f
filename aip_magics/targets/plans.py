"""The requests of each command as values, for `--dry-run` and `--show`: what `Target.client` sends for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aip_magics.client import Request, Wait, calls
from aip_magics.spec import Model, Version

Requests = Sequence[Request | Wait]


class Plans(Protocol):
    """The requests of the commands. Models, versions and operations are given by ID or full name."""

    def get_model(self, model: str) -> Requests: ...
    def get_version(self, model: str, version: str) -> Requests: ...
    def get_stats(self, model: str, version: str) -> Requests: ...
    def get_operation(self, operation: str) -> Requests: ...
    def list_models(self) -> Requests: ...
    def list_versions(self, model: str) -> Requests: ...
    def list_operations(self, page_size: int) -> Requests: ...
    def cancel(self, operation: str) -> Requests: ...

    def create_model(self, model: Model) -> Requests: ...
    def create_version(self, model: str, version: Version) -> Requests: ...
    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests: ...
    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests: ...
    def delete_model(self, model: str, versions: Sequence[str] = ()) -> Requests:
        """Delete a model, after these of its versions: all, the default one last."""
        ...

    def delete_version(self, model: str, version: str) -> Requests: ...
    def undeploy(self, model: str, version: str) -> Requests: ...
    def set_default(self, model: str, version: str) -> Requests: ...
    def get_traffic(self, model: str) -> Requests: ...
    def set_traffic(self, model: str, split: Mapping[str, int]) -> Requests: ...
    def predict(self, model: str, body: bytes, version: str | None) -> Requests: ...


class PredictionApiPlans:
    """Those of AI Platform's API, which need no look at what exists."""

    def __init__(self, project: str) -> None:
        self._project = project

    def get_model(self, model: str) -> Requests:
        return [calls.get(self._model(model))]

    def get_version(self, model: str, version: str) -> Requests:
        return [calls.get(self._version(model, version))]

    def get_stats(self, model: str, version: str) -> Requests:
        return [calls.version_stats(self._version(model, version))]

    def get_operation(self, operation: str) -> Requests:
        return [calls.get(self._operation(operation))]

    def list_models(self) -> Requests:
        return [calls.list_models(self._project)]

    def list_versions(self, model: str) -> Requests:
        return [calls.list_versions(self._model(model))]

    def list_operations(self, page_size: int) -> Requests:
        return [calls.list_operations(self._project, page_size=page_size)]

    def cancel(self, operation: str) -> Requests:
        return [calls.cancel(self._operation(operation))]

    def create_model(self, model: Model) -> Requests:
        return [calls.create_model(self._project, model)]

    def create_version(self, model: str, version: Version) -> Requests:
        return [calls.create_version(self._model(model), version)]

    def update_model(self, model: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
        return [calls.patch(self._model(model), fields, mask), Wait()]

    def update_version(self, model: str, version: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Requests:
        return [calls.patch(self._version(model, version), fields, mask), Wait()]

    def delete_model(self, model: str, versions: Sequence[str] = ()) -> Requests:
        names = [*(self._version(model, version) for version in versions), self._model(model)]
        return [call for name in names for call in (calls.delete(name), Wait())]

    def delete_version(self, model: str, version: str) -> Requests:
        return [calls.delete(self._version(model, version)), Wait()]

    def undeploy(self, model: str, version: str) -> Requests:  # noqa: ARG002 - refused, see `Capability.UNDEPLOY`
        return []

    def set_default(self, model: str, version: str) -> Requests:
        return [calls.set_default(self._version(model, version))]

    def get_traffic(self, model: str) -> Requests:
        return self.get_model(model)

    def set_traffic(self, model: str, split: Mapping[str, int]) -> Requests:
        """Those for the version that gets all: a split is refused, see `Capability.TRAFFIC_SPLIT`."""
        [version] = split
        return self.set_default(model, version)

    def predict(self, model: str, body: bytes, version: str | None) -> Requests:
        return [calls.predict(self._version(model, version) if version else self._model(model), body)]

    def _model(self, model: str) -> str:
        return calls.model_name(self._project, model)

    def _version(self, model: str, version: str) -> str:
        return calls.version_name(self._project, model, version)

    def _operation(self, operation: str) -> str:
        return calls.operation_name(self._project, operation)

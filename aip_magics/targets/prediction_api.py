"""Base class of the targets that speak the API of AI Platform Prediction: the embedded server and remote endpoints."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping
from typing import Any

from aip_magics import catalog, resource_names
from aip_magics.artifacts import ModelDir
from aip_magics.client import Client, Request, Transport, Wait, calls
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Version
from aip_magics.targets.base import Target
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.choice import Choice, CompletedVersion
from aip_magics.targets.plans import PredictionApiPlans


def no_traffic_split() -> str:
    """The reason why these targets do not have `Capability.TRAFFIC_SPLIT`."""
    return _("AI Platform sends all requests to the default version of a model")


def no_undeploy() -> str:
    """The reason why these targets do not have `Capability.UNDEPLOY`."""
    return _("AI Platform serves a version for as long as it exists")


class PredictionApiTarget(Target):
    """A target with models, versions and operations of the v1 API."""

    api = "ml"
    server_defaults: tuple[str, ...] = ()

    @abc.abstractmethod
    def _transport(self) -> Transport: ...

    @functools.cached_property
    def client(self) -> Client:
        return Client(self._transport(), self.project, poll_seconds=self.poll_seconds)

    @property
    def plans(self) -> PredictionApiPlans:
        return PredictionApiPlans(self.project)

    def model_name(self, model: str, where: str = "--model") -> str:
        return resource_names.model_path(self.project, model, where)

    def version_name(self, model: str, version: str) -> str:
        return calls.version_name(self.project, model, version)

    def operation_name(self, operation: str) -> str:
        return calls.operation_name(self.project, operation)

    @classmethod
    def regions(cls) -> tuple[str, ...]:
        return ("global", *catalog.regional_regions())

    @classmethod
    def machine_types(cls, *, regional: bool | None = None) -> tuple[str, ...]:
        families = {None: ("MLS1", "N1"), False: ("MLS1",), True: ("N1",)}[regional]
        return tuple(row.name for row in catalog.machine_types() if row.family in families)

    def complete_version(self, version: Version, model_dir: ModelDir | None, env: str) -> CompletedVersion:
        version, choices = self._runtime(version, model_dir, env)
        if version.machineType:
            return CompletedVersion(version, tuple(choices))
        regional = self.region is not None
        machine = catalog.default_machine_type(regional).name
        source = _("default of the regional endpoint") if regional else _("default of the global endpoint")
        choices.append(Choice("machineType", machine, source))
        return CompletedVersion(version.replace(machineType=machine), tuple(choices), self.server_defaults)

    def deployment_requests(
        self, model: Model, version: Version, updates: Mapping[str, Any], test: bytes | None, *, wait: bool = True
    ) -> list[Request | Wait]:
        name = calls.model_name(self.project, model.id)
        version_name = calls.version_name(self.project, model.id, version.id)
        requests: list[Request | Wait] = [calls.create_model(self.project, model), calls.create_version(name, version)]
        if not wait:
            return requests
        requests.append(Wait())
        if updates:
            requests += [calls.patch(version_name, updates, list(updates)), Wait()]
        requests.append(calls.get(version_name))
        if test is not None:
            requests.append(calls.predict(version_name, test))
        return requests

    @property
    def operation_path(self) -> str:
        return f"v1/projects/{self.project}/operations/OPERATION"

    def _runtime(self, version: Version, model_dir: ModelDir | None, env: str) -> tuple[Version, list[Choice]]:
        """Choose runtimeVersion and pythonVersion by the libraries that saved the model."""
        if version.container is not None:
            return version, []
        choices = []
        if version.runtimeVersion is None and model_dir is not None and version.framework:
            fit = catalog.match_runtime_to_all(version.framework, model_dir.libraries)
            if fit.runtime is None:
                if not self.has(Capability.OWN_PYTHON):
                    source = _("{reason}; the target requires a runtime version", reason=fit.reason)
                elif env == "current":
                    source = _("{reason}; this Python serves the model instead", reason=fit.reason)
                else:
                    source = _("{reason}; an environment of its own serves the model instead", reason=fit.reason)
                return version, [Choice("runtimeVersion", _("none"), source)]
            choices.append(Choice("runtimeVersion", fit.runtime, fit.reason))
            version = version.replace(runtimeVersion=fit.runtime)
        if version.pythonVersion is None and version.runtimeVersion:
            runtime = catalog.runtime(version.runtimeVersion)
            if runtime is not None:
                source = _("Python of runtime {version}", version=runtime.version)
                choices.append(Choice("pythonVersion", runtime.python[0], source))
                version = version.replace(pythonVersion=runtime.python[0])
        return version, choices

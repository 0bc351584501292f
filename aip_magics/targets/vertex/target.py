"""Target Vertex AI, the successor of AI Platform Prediction, in the terms of a cell.

A **model** of the cell is an endpoint and a Vertex Model of the same ID. The endpoint is created once and kept, so that
callers have one URL for all versions. A **version** is a numbered version of that Model, with the version's name as its
alias, deployed to the endpoint. Descriptions and labels of a model without versions are those of its endpoint.

As on AI Platform, the first version gets the requests of callers, and each later one only when it is asked for by
`%aip_promote`, `%aip_traffic` or `%aip_set_default`: a deployment never takes the requests away from the version that
has them. A shared endpoint has no URL of one version, and `deployedModels.invoke`, which would be one, is a preview
that switches `predict` off. So the online predictions of a later version are compared with the local ones only where
there is a way to it: on the embedded server, which has one as an extension. In the cloud that step is skipped with the
reason, and `%aip_traffic` gives the version a small part of the requests.

With `--endpoint local` all this is rehearsed on this machine, by the same requests to the embedded server.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.client import Request, Transport, Wait
from aip_magics.client.vertex import bodies, calls, ids
from aip_magics.client.vertex.client import VertexClient
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.predict import give_traffic_fix, no_own_url
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.client.vertex.views import OWN_REPOSITORY
from aip_magics.errors import CredentialsError, FieldError
from aip_magics.i18n import gettext as _
from aip_magics.settings import Environment, Settings
from aip_magics.spec import Model, Version
from aip_magics.storage import StorageClient
from aip_magics.targets.base import Difference, Target
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.choice import Choice, CompletedVersion
from aip_magics.targets.google_cloud import GoogleConnection
from aip_magics.targets.local import EmbeddedConnection, embedded_siblings
from aip_magics.targets.vertex import rules
from aip_magics.targets.vertex.image_choice import choose_image
from aip_magics.targets.vertex.plans import VertexPlans, first_version
from aip_magics.targets.vertex.price import CURRENCY, ENDPOINT_PROPERTY, HOURS_A_MONTH, monthly_price
from aip_magics.targets.vertex.unused_rules import unused_rules
from aip_magics.wording import join_names

__all__ = ["VertexTarget", "rules"]


class VertexTarget(Target):
    api = "aiplatform"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.runs_here = settings.has_local_endpoint
        self.poll_seconds = 0.25 if self.runs_here else 5.0
        self.place = Place(self.project, self.default_region)
        self._embedded = EmbeddedConnection(settings) if self.runs_here else None

    @property
    def endpoint(self) -> str:
        if self._embedded:
            return self._embedded.url
        if self.settings.endpoint:
            return self.settings.endpoint.value.rstrip("/")
        return f"https://{self.region}-aiplatform.googleapis.com"

    @property
    def storage_url(self) -> str:
        return self._embedded.url if self._embedded else self._google.storage_url

    def connect(self) -> str:
        if self._embedded:
            return self._embedded.connect()
        self._session()
        return _("{endpoint} (project {project})", endpoint=self.endpoint, project=self.project)

    def missing(self) -> Mapping[Capability, str]:
        found = {
            Capability.RUNTIME_VERSIONS: _("Vertex AI serves a version with the libraries of its image"),
            Capability.SCALE_TO_ZERO: _("Vertex AI keeps at least one replica of a deployed version"),
            Capability.VERSION_LOGS: self._no_logs(),
            Capability.NEWEST_OPERATIONS_FIRST: _("the API does not define the order of operations"),
        }
        if not self.runs_here:
            found[Capability.OWN_PYTHON] = found[Capability.RUNTIME_VERSIONS]
            found[Capability.PACKAGES] = _("Vertex AI installs no packages; a container of your own has them")
        return found

    @classmethod
    def regions(cls) -> tuple[str, ...]:
        return (*catalog.vertex_regions(), *catalog.newer_vertex_regions())

    @classmethod
    def machine_types(cls, *, regional: bool | None = None) -> tuple[str, ...]:  # noqa: ARG003 - all are regional
        return tuple(row.name for row in catalog.vertex_machine_types())

    def unusable_fields(self) -> Mapping[str, str]:
        found = {
            **super().unusable_fields(),
            "explanationConfig": _("Vertex AI's explanationSpec needs metadata that explanationConfig does not have"),
            "model.regions": _(
                "Vertex AI has regional endpoints only; the region of the endpoint is that of its models"
            ),
        }
        return {**found, "requestLoggingConfig": _no_request_logs()} if self.runs_here else found

    @property
    def unused_rules(self) -> Mapping[str, str]:
        return unused_rules()

    def _no_logs(self) -> str:
        if self.runs_here:
            return _("the embedded server has this for versions of AI Platform's API only")
        return _("only the embedded server has this; for the cloud, see Cloud Logging and Cloud Monitoring")

    @property
    def plans(self) -> VertexPlans:
        return VertexPlans(self.place, self._connected_client, embedded=self.runs_here)

    def _connected_client(self) -> VertexClient:
        self.connect()
        return self.client

    def model_name(self, model: str, where: str = "--model") -> str:
        return self.place.model(model, where)

    def version_name(self, model: str, version: str) -> str:
        return self.place.shown_version(model, version)

    def operation_name(self, operation: str) -> str:
        return self.place.operation(operation)

    def complete_version(self, version: Version, model_dir: ModelDir | None, env: str) -> CompletedVersion:
        """Choose image, machine type and the alias of the version.

        On the embedded server, an image of ours takes the place of a prebuilt one that does not fit; its name ends with
        a slash until the version is created. In the cloud the image stays empty then, which check V03 reports.
        """
        if self.runs_here and version.requestLoggingConfig is not None:
            raise FieldError(
                _no_request_logs(),
                where="version.requestLoggingConfig",
                fix=_("omit {field}", field="requestLoggingConfig"),
            )
        completed, choices = VertexVersion.of(version), []
        if completed.name and (alias := ids.version_alias(completed.name)) not in (None, completed.name):
            choices.append(Choice("name", str(alias), _("alias of version {name}", name=completed.name)))
            completed = completed.replace(name=alias)
        if version.container is None:
            found = choose_image(version.framework, model_dir, version, self.default_region, _today())
            if isinstance(found, catalog.ImageMatch):
                completed = completed.replace(imageUri=found.uri)
                choices.append(Choice("image", found.uri, found.reason))
            elif self.runs_here:
                repository = f"{self.default_region}-docker.pkg.dev/{self.project}{OWN_REPOSITORY}"
                uri = repository + {"runtime": f"runtime-{version.runtimeVersion}/", "model": "model-env/"}.get(env, "")
                reason = _("{reason}; in the cloud: %aip_package --container", reason=found.reason)
                completed = completed.replace(imageUri=uri)
                choices.append(Choice("image", f"{uri}…", reason))
        if completed.machineType is None:
            machine = catalog.default_vertex_machine_type().name
            completed = completed.replace(machineType=machine)
            choices.append(Choice("machineType", machine, _("default of Vertex AI")))
        return CompletedVersion(completed, tuple(choices))

    def deployment_requests(
        self,
        model: Model,
        version: Version,
        updates: Mapping[str, Any],
        test: bytes | None,
        *,
        wait: bool = True,
    ) -> list[Request | Wait]:
        requests: list[Request | Wait] = [
            calls.create_endpoint(self.place, model.id, bodies.endpoint(model)),
            Wait(),
            *first_version(self.place, model, version, embedded=self.runs_here),
        ]
        if not wait:
            return requests
        endpoint = self.place.endpoint(model.id)
        requests.append(Wait())
        if config := updates.get(bodies.REQUEST_LOGGING):
            logging = bodies.request_logging(config)
            requests.append(calls.patch(endpoint, logging, list(logging)))
        requests.append(calls.get(self.place.version(model.id, version.id)))
        if test is not None:
            requests.append(calls.predict(endpoint, test))
        return requests

    def difference(self, model: str, requested: Version, existing: Version) -> Difference | None:
        """Compared as Vertex AI has them; the machine and its scaling only of a version that is deployed."""
        ours, theirs = bodies.compared_fields(requested, model), bodies.compared_fields(existing, model)
        fields = bodies.CONTAINER_FIELDS if existing.state == "UNDEPLOYED" else {**ours, **theirs}
        for field in fields:
            if ours.get(field) != theirs.get(field):
                return Difference(field, theirs.get(field), ours.get(field))
        return None

    def cannot_ask(self, version: Version) -> str:
        if self.runs_here or not isinstance(version, VertexVersion) or version.trafficPercentage:
            return ""
        model, name = self.place.version_ids("", version.name or "")
        return f"{no_own_url()}; {give_traffic_fix(model, name)}"

    def cost_note(self, version: Version) -> str:
        resources = bodies.dedicated_resources(version)
        machine, least = resources["machineSpec"]["machineType"], resources["minReplicaCount"]
        hours = least * HOURS_A_MONTH
        if self.runs_here:
            return _(
                "in the cloud, at least {count} × {machine} would be billed until it is undeployed: {hours} node hours "
                "a month",
                count=least,
                machine=machine,
                hours=hours,
            )
        note = _(
            "billed until it is undeployed (%aip_undeploy): at least {count} × {machine}, {hours} node hours a month",
            count=least,
            machine=machine,
            hours=hours,
        )
        price = self._monthly_price(resources["machineSpec"], least)
        if price is None:
            return note
        return _(
            "{note}, about {price} {currency} (Cloud Billing Catalog, {region})",
            note=note,
            price=f"{price:.0f}",
            currency=CURRENCY,
            region=self.default_region,
        )

    def _monthly_price(self, machine_spec: Mapping[str, Any], replicas: int) -> float | None:
        """The list price in USD of replicas at Google's own endpoint; None if it is not known."""
        if self.settings.endpoint:
            return None  # the credentials may be those of another server: they are not for Google
        found = Environment.read().find({}, "", ENDPOINT_PROPERTY)
        try:
            credentials = self._session().credentials
        except CredentialsError:
            return None
        return monthly_price(machine_spec, replicas, self.default_region, credentials, found.value if found else None)

    def billed(self, model: str = "") -> str:
        if self.runs_here:
            return ""
        found = self.client.deployed_versions(model)
        if not found:
            return ""
        hours = sum(version.autoScaling.minNodes or 1 for version in found if version.autoScaling) * HOURS_A_MONTH
        names = join_names("/".join((version.name or "").split("/")[-3::2]) for version in found)
        return _(
            "billed until undeployed: {versions}, at least {hours} node hours a month; %aip_undeploy ends it",
            versions=names,
            hours=hours,
        )

    def sanitize_model_name(self, text: str) -> str:
        return ids.sanitize_model_id(text)

    @property
    def operation_path(self) -> str:
        return f"v1/{self.place.parent}/operations/OPERATION"

    def preload(self, framework: str) -> None:
        if self._embedded:
            self._embedded.preload(framework)

    def list_siblings(self) -> Iterator[Target]:
        return embedded_siblings(self) if self.runs_here else super().list_siblings()

    def serve_with(self, python: str) -> None:
        if self._embedded:
            self._embedded.environment = python

    @functools.cached_property
    def client(self) -> VertexClient:
        return VertexClient(self._transport(), self.place, poll_seconds=self.poll_seconds, embedded=self.runs_here)

    @property
    def default_region(self) -> str:
        return self.region or catalog.default_vertex_region()

    @functools.cached_property
    def _google(self) -> GoogleConnection:
        return GoogleConnection(self.settings, self.endpoint)

    def _transport(self) -> Transport:
        return self._embedded.transport() if self._embedded else Transport(self.endpoint, self._session())

    def _session(self) -> Any:
        return self._embedded.session() if self._embedded else self._google.session

    def _storage_client(self) -> StorageClient:
        return self._embedded.storage_client() if self._embedded else self._google.storage_client()


def _no_request_logs() -> str:
    return _("the embedded server logs no requests of endpoints of Vertex AI")


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()

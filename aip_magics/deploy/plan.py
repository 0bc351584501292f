"""The plan of a deployment: choose every value that the user omitted, and record where each choice comes from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

from aip_magics.artifacts import ModelDir
from aip_magics.client import Request, Wait
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.package_uploads import PackageFile
from aip_magics.i18n import gettext as _
from aip_magics.local_path import local_path
from aip_magics.spec import Model, Version
from aip_magics.storage import GsUri, url_paths
from aip_magics.targets import Choice, Target

MUTABLE_FIELDS = ("description", "labels")  # of the fields of a version


@dataclasses.dataclass(frozen=True)
class PlanStep:
    """One step of a run, as the user sees it."""

    id: str
    title: str


@dataclasses.dataclass(frozen=True)
class PlannedRequest:
    """A request that a run will send. `body` is JSON, or None for a request without a body."""

    method: str
    url: str
    body: Any = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do.

    `version` has neither name nor deploymentUri until `resolve.resolve_deployment_uri` has run. `upload_to` is the
    directory of the model files, or None for a model that is already in Cloud Storage. `packages` are the local package
    files to upload; they are known once the version is named. `server_defaults` are fields that the server sets to the
    chosen values if they are omitted.
    """

    panel_kind: ClassVar[str] = "plan"
    deployment: Deployment
    model: Model
    version: Version
    model_dir: ModelDir | None
    upload_to: GsUri | None
    packages: tuple[PackageFile, ...] = ()
    choices: tuple[Choice, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    requests: tuple[PlannedRequest, ...] = ()
    server_defaults: tuple[str, ...] = ()

    @property
    def create_fields(self) -> Version:
        """The version as versions.create gets it: the service accepts request logging only in a later update."""
        return self.version.replace(requestLoggingConfig=None, **dict.fromkeys(self.server_defaults))

    @property
    def post_ready_updates(self) -> dict[str, Any]:
        """The fields that an update sets once the version is READY."""
        config = self.version.requestLoggingConfig
        return {} if config is None else {"requestLoggingConfig": config.to_json()}

    @property
    def mutable_fields(self) -> dict[str, Any]:
        """The requested fields that an update can set on an existing version."""
        requested = self.version.to_json()
        mutable = {field: requested[field] for field in MUTABLE_FIELDS if field in requested}
        return {**mutable, **self.post_ready_updates}

    @property
    def bucket(self) -> str | None:
        """The bucket of the uploads; None if model and packages are already in Cloud Storage."""
        destinations = [*([self.upload_to] if self.upload_to else []), *(file.destination for file in self.packages)]
        return destinations[0].bucket if destinations else None

    def record_choice(self, field: str, value: str, source: str) -> Plan:
        """Return the plan with one more choice."""
        return dataclasses.replace(self, choices=(*self.choices, Choice(field, value, source)))


def steps(env: str = "current") -> tuple[PlanStep, ...]:
    """Return the steps of every run with this environment, in order."""
    environment = [] if env == "current" else [PlanStep("environment", _("Prepare the environment"))]
    return (
        PlanStep("look", _("Inspect model files")),
        PlanStep("checks", _("Run preflight checks")),
        *environment,
        PlanStep("target", _("Connect")),
        PlanStep("try", _("Predict the test instances locally")),
        PlanStep("bucket", _("Bucket")),
        PlanStep("upload", _("Upload")),
        PlanStep("model", _("Model resource")),
        PlanStep("version", _("Version resource")),
        PlanStep("wait", _("Wait for the operation")),
        PlanStep("describe", _("Describe")),
        PlanStep("predict", _("Predict the test instances online")),
    )


def make_plan(deployment: Deployment, target: Target, model_dir: ModelDir | None) -> Plan:
    """Choose the omitted values from the files, the catalog and the target's settings. No request is sent."""
    version = deployment.version
    if deployment.is_remote:
        version = version.replace(deploymentUri=deployment.origin)
    plan = Plan(deployment, deployment.model, version, model_dir, None, steps=steps(deployment.env))
    for choose in (_settings, _model_name, _region, _framework, _target_fields):
        plan = choose(plan, target)
    return plan


def with_requests(plan: Plan, target: Target) -> Plan:
    """Return the plan with the requests of a first run, as `--dry-run` shows them."""
    test = plan.deployment.test_request()
    requests = [
        *_storage_requests(plan, target),
        *(
            _planned(target, request)
            for request in target.deployment_requests(plan.model, plan.create_fields, plan.post_ready_updates, test)
        ),
    ]
    return dataclasses.replace(plan, requests=tuple(requests))


def _settings(plan: Plan, target: Target) -> Plan:
    settings = target.settings
    for field, setting in (("target", settings.target), ("project", settings.project), ("region", settings.region)):
        if setting is not None and setting.source != "argument":
            plan = plan.record_choice(field, setting.value, setting.label)
    return plan


def _model_name(plan: Plan, target: Target) -> Plan:
    if plan.model.name:
        return plan
    # Named after the directory the user gave, not after the export inside; resolved because `.` has no name.
    origin = Path(plan.deployment.origin) if plan.deployment.is_remote else local_origin(plan.deployment).resolve()
    directory = origin.parent if origin.is_file() else origin
    name = target.sanitize_model_name(directory.name)
    plan = plan.record_choice("model", name, _("name of directory {name}", name=directory.name))
    return dataclasses.replace(plan, model=plan.model.replace(name=name))


def _region(plan: Plan, target: Target) -> Plan:
    if plan.model.regions:
        return plan
    region = target.default_region
    if target.region is None:
        plan = plan.record_choice("regions", region, _("default of the global endpoint"))
    return dataclasses.replace(plan, model=plan.model.replace(regions=(region,)))


def _framework(plan: Plan, _target: Target) -> Plan:
    framework = plan.model_dir.framework if plan.model_dir else None
    if plan.version.framework or plan.version.predictionClass or plan.version.container or not framework:
        return plan
    assert plan.model_dir is not None
    file = plan.model_dir.model_file
    source = _("detected from {name}", name=file.name) if file else _("detected from the model files")
    plan = plan.record_choice("framework", framework, source)
    return dataclasses.replace(plan, version=plan.version.replace(framework=framework))


def _target_fields(plan: Plan, target: Target) -> Plan:
    completed = target.complete_version(plan.version, plan.model_dir, plan.deployment.env)
    return dataclasses.replace(
        plan,
        version=completed.version,
        choices=(*plan.choices, *completed.choices),
        server_defaults=(*plan.server_defaults, *completed.server_defaults),
    )


def _storage_requests(plan: Plan, target: Target) -> list[PlannedRequest]:
    if plan.bucket is None:
        return []
    base = target.storage_url
    bucket = {"name": plan.bucket, "location": (plan.model.regions or (target.default_region,))[0]}
    upload = f"{base}{url_paths.upload_path(plan.bucket)}"
    objects = [(file.destination.prefix + file.name, file.size) for file in plan.packages]
    if plan.upload_to is not None and plan.model_dir is not None:
        objects = [(plan.upload_to.prefix + file.name, file.size) for file in plan.model_dir.files] + objects
    return [
        PlannedRequest("POST", f"{base}{url_paths.BUCKETS}?project={target.project}", bucket),
        *(PlannedRequest("POST", upload, {"name": name, "size": str(size)}) for name, size in objects),
    ]


def _planned(target: Target, request: Request | Wait) -> PlannedRequest:
    if isinstance(request, Wait):
        return PlannedRequest("GET", f"{target.endpoint}/{target.operation_path}")
    if isinstance(request.body, bytes):
        return PlannedRequest(request.method, f"{target.endpoint}/{request.label}", json.loads(request.body))
    return PlannedRequest(request.method, f"{target.endpoint}/{request.label}", request.body)


def local_origin(deployment: Deployment) -> Path:
    """Return the local path of the model, with `~` expanded. ModelDirError if the origin is a URL."""
    return local_path(deployment.origin)

"""From what was asked for to a plan: every value that was left out is chosen here, with the source of the choice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks import sanitize_name
from aip_magics.client import calls
from aip_magics.client.calls import Request
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.package_uploads import PackageFile, in_bucket, is_remote
from aip_magics.i18n import gettext as _
from aip_magics.settings import default_bucket
from aip_magics.spec import Model, Version
from aip_magics.storage import GsUri, paths
from aip_magics.targets import Target

MUTABLE_FIELDS = ("description", "labels")  # of the fields of a version


@dataclasses.dataclass(frozen=True)
class Choice:
    """A value that was not given, and where it comes from."""

    field: str
    value: str
    source: str


@dataclasses.dataclass(frozen=True)
class PlanStep:
    id: str
    title: str


@dataclasses.dataclass(frozen=True)
class PlannedRequest:
    """A call that the run will make. `body` is JSON; None where there is none."""

    method: str
    url: str
    body: Any = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do. `version` and `model` are complete but for what only the target can fill in."""

    deployment: Deployment
    model: Model
    version: Version
    model_dir: ModelDir | None
    upload_to: GsUri | None
    packages: tuple[PackageFile, ...] = ()  # those of this machine; known when the version has its name
    choices: tuple[Choice, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    requests: tuple[PlannedRequest, ...] = ()

    @property
    def sent(self) -> Version:
        """The version as it is sent to be made: request logging counts in an update only, once it is there."""
        return self.version.replace(requestLoggingConfig=None)

    @property
    def sent_later(self) -> dict[str, Any]:
        """The fields of the version that are sent in an update, once it is READY."""
        config = self.version.requestLoggingConfig
        return {} if config is None else {"requestLoggingConfig": config.to_json()}

    @property
    def in_place(self) -> dict[str, Any]:
        """The given fields of the version that an update changes, of one that is kept or was just made."""
        given = self.version.to_json()
        return {**{field: given[field] for field in MUTABLE_FIELDS if field in given}, **self.sent_later}

    @property
    def bucket(self) -> str | None:
        """The bucket that something is uploaded to; None where all lies in Cloud Storage already."""
        destinations = [*([self.upload_to] if self.upload_to else []), *(file.destination for file in self.packages)]
        return destinations[0].bucket if destinations else None

    def choose(self, field: str, value: str, source: str) -> Plan:
        """The plan with one more choice recorded."""
        return dataclasses.replace(self, choices=(*self.choices, Choice(field, value, source)))


def steps() -> tuple[PlanStep, ...]:
    """The steps of every run, in their order."""
    return (
        PlanStep("look", _("Look at the model files")),
        PlanStep("checks", _("Check before anything is sent")),
        PlanStep("target", _("Connect to the target")),
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
    """Choose what can be chosen from the files, the catalog and the target's settings. Contacts nothing."""
    version = deployment.version
    if deployment.is_remote:
        version = version.replace(deploymentUri=deployment.origin)
    plan = Plan(deployment, deployment.model, version, model_dir, None, steps=steps())
    for settle in (_settings, _model_name, _region, _framework, _runtime, _machine_type):
        plan = settle(plan, target)
    return plan


def resolve_version_name(plan: Plan, target: Target, name: str, source: str) -> Plan:
    """The plan with its version named, and with the upload's destination that follows from it."""
    version = plan.version.replace(name=name)
    if source:
        plan = plan.choose("name", name, source)
    packages = version.packageUris or ()
    if plan.deployment.is_remote and all(map(is_remote, packages)):
        return dataclasses.replace(plan, version=version)
    bucket, bucket_source = _bucket(plan, target)
    if bucket_source:
        plan = plan.choose("bucket", bucket, bucket_source)
    uris, files = in_bucket(packages, bucket)
    version = version.replace(packageUris=uris or None)
    if plan.deployment.is_remote:
        return dataclasses.replace(plan, version=version, packages=files)
    destination = GsUri.parse(f"gs://{bucket}").child(plan.model.id, name)
    version = version.replace(deploymentUri=str(destination))
    return dataclasses.replace(plan, version=version, upload_to=destination, packages=files)


def with_requests(plan: Plan, target: Target) -> Plan:
    """The plan with the calls a first run would make, as `--dry-run` shows them."""
    model = calls.model_name(target.project, plan.model.id)
    version = calls.version_name(target.project, plan.model.id, plan.version.id)
    later = plan.sent_later
    requests = [
        *_storage_requests(plan, target),
        _planned(target, calls.create_model(target.project, plan.model)),
        _planned(target, calls.create_version(model, plan.sent)),
        PlannedRequest("GET", f"{target.endpoint}/v1/projects/{target.project}/operations/OPERATION"),
        *([_planned(target, calls.patch(version, later, list(later)))] if later else []),
        _planned(target, calls.get(version)),
    ]
    if plan.deployment.test is not None:
        requests.append(PlannedRequest("POST", f"{target.endpoint}/v1/{version}:predict", plan.deployment.test))
    return dataclasses.replace(plan, requests=tuple(requests))


def _settings(plan: Plan, target: Target) -> Plan:
    settings = target.settings
    for field, found in (("target", settings.target), ("project", settings.project), ("region", settings.region)):
        if found is not None and found.source != "argument":
            plan = plan.choose(field, found.value, found.told)
    return plan


def _model_name(plan: Plan, _target: Target) -> Plan:
    if plan.model.name:
        return plan
    # The directory as it was named, not the export that was found in it; resolved, as `.` has no name of its own.
    origin = Path(plan.deployment.origin) if plan.deployment.is_remote else local_origin(plan.deployment).resolve()
    directory = origin.parent if origin.is_file() else origin
    name = sanitize_name(directory.name)
    plan = plan.choose("model", name, _("name of the directory {name}", name=directory.name))
    return dataclasses.replace(plan, model=plan.model.replace(name=name))


def _region(plan: Plan, target: Target) -> Plan:
    if plan.model.regions:
        return plan
    region = target.default_region
    if target.region is None:
        plan = plan.choose("regions", region, _("default of the global endpoint"))
    return dataclasses.replace(plan, model=plan.model.replace(regions=(region,)))


def _framework(plan: Plan, _target: Target) -> Plan:
    found = plan.model_dir.framework if plan.model_dir else None
    if plan.version.framework or plan.version.predictionClass or plan.version.container or not found:
        return plan
    assert plan.model_dir is not None
    file = plan.model_dir.model_file
    source = _("found in {name}", name=file.name) if file else _("the model files")
    plan = plan.choose("framework", found, source)
    return dataclasses.replace(plan, version=plan.version.replace(framework=found))


def _runtime(plan: Plan, target: Target) -> Plan:
    version = plan.version
    if version.container is not None:
        return plan
    if version.runtimeVersion is None and plan.model_dir is not None and version.framework:
        fit = catalog.match_runtime_to_all(version.framework, plan.model_dir.libraries)
        if fit.runtime is None:
            local = target.kind == "local"
            kept = _("this Python serves it instead") if local else _("and this target needs one")
            return plan.choose("runtimeVersion", _("none"), f"{fit.reason}; {kept}")
        plan = plan.choose("runtimeVersion", fit.runtime, fit.reason)
        version = version.replace(runtimeVersion=fit.runtime)
    if version.pythonVersion is None and version.runtimeVersion:
        runtime = catalog.runtime(version.runtimeVersion)
        if runtime is not None:
            plan = plan.choose(
                "pythonVersion", runtime.python[0], _("Python of runtime {version}", version=runtime.version)
            )
            version = version.replace(pythonVersion=runtime.python[0])
    return dataclasses.replace(plan, version=version)


def _machine_type(plan: Plan, target: Target) -> Plan:
    if plan.version.machineType:
        return plan
    regional = target.region is not None
    machine = catalog.default_machine_type(regional).name
    source = _("default of the regional endpoint") if regional else _("default of the global endpoint")
    plan = plan.choose("machineType", machine, source)
    return dataclasses.replace(plan, version=plan.version.replace(machineType=machine))


def _bucket(plan: Plan, target: Target) -> tuple[str, str]:
    if plan.deployment.staging_bucket:
        return GsUri.parse(plan.deployment.staging_bucket).bucket, ""
    if chosen := target.settings.bucket:
        return GsUri.parse(f"gs://{chosen.value.removeprefix('gs://')}").bucket, chosen.told
    return default_bucket(target.project), "PROJECT_ID-aiplatform"


def _storage_requests(plan: Plan, target: Target) -> list[PlannedRequest]:
    if plan.bucket is None:
        return []
    base = target.storage_url
    bucket = {"name": plan.bucket, "location": (plan.model.regions or (target.default_region,))[0]}
    upload = f"{base}{paths.of_uploads(plan.bucket)}"
    objects = [(file.destination.prefix + file.name, file.size) for file in plan.packages]
    if plan.upload_to is not None and plan.model_dir is not None:
        objects = [(plan.upload_to.prefix + file.name, file.size) for file in plan.model_dir.files] + objects
    return [
        PlannedRequest("POST", f"{base}{paths.BUCKETS}?project={target.project}", bucket),
        *(PlannedRequest("POST", upload, {"name": name, "size": str(size)}) for name, size in objects),
    ]


def _planned(target: Target, request: Request) -> PlannedRequest:
    return PlannedRequest(request.method, f"{target.endpoint}/{request.told}", request.body)


def local_origin(deployment: Deployment) -> Path:
    """The local path of the model, with `~` expanded."""
    return Path(deployment.origin).expanduser()

"""What is already there: an identical version is kept, an unfinished one is waited for, a failed one is made anew."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from aip_magics.deploy.plan import Plan, resolve_version_name
from aip_magics.errors import AlreadyExists
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Version
from aip_magics.storage import GsUri, transfers
from aip_magics.storage import plan as plan_upload
from aip_magics.targets import Target

# Fields that make two versions different ones; description and labels can be changed in place.
COMPARED = (
    "runtimeVersion",
    "pythonVersion",
    "framework",
    "machineType",
    "acceleratorConfig",
    "autoScaling",
    "manualScaling",
    "container",
    "routes",
    "packageUris",
    "predictionClass",
    "serviceAccount",
    "explanationConfig",
)


@dataclasses.dataclass(frozen=True)
class VersionDecision:
    """What to do about the version of this name: `create` it, `keep` it, `wait` for it, or `replace` it."""

    action: Literal["create", "keep", "wait", "replace"]
    plan: Plan
    version: Version | None = None
    operation: Operation | None = None
    reason: str = ""


def resolve_version(plan: Plan, target: Target, versions: list[Version]) -> VersionDecision:
    """Name the version if it has no name, and compare it with what the target already has."""
    known = {version.id: version for version in versions}
    if plan.version.name:
        return _compare(resolve_version_name(plan, target, plan.version.name, ""), target, known.get(plan.version.name))
    newest = max((number for number in map(_number, known) if number), default=0)
    for name in [f"v{newest}"] if newest else []:
        # The newest of our numbered versions, when it is the same or was never finished: running a cell twice is one
        # deployment, not two.
        found = _compare(resolve_version_name(plan, target, name, ""), target, known[name], strict=False)
        if found.action != "create":
            named = found.plan.choose("name", name, _("the newest version is {reason}", reason=found.reason))
            return dataclasses.replace(found, plan=named)
    source = _("next free name after v{number}", number=newest) if newest else _("first version of this model")
    return VersionDecision("create", resolve_version_name(plan, target, f"v{newest + 1}", source))


def _compare(plan: Plan, target: Target, there: Version | None, *, strict: bool = True) -> VersionDecision:
    if there is None:
        return VersionDecision("create", plan)
    if there.state == "CREATING":
        operation = _operation(target, there)
        if operation is not None:
            return VersionDecision("wait", plan, there, operation, _("still being created"))
    if there.state == "FAILED":
        return VersionDecision("replace", plan, there, None, _("failed before"))
    difference = _difference(plan, target, there)
    if difference is None and there.state == "READY":
        return VersionDecision("keep", plan, there, None, _("the same"))
    if not strict:
        return VersionDecision("create", plan)
    if plan.deployment.replace:
        return VersionDecision(
            "replace", plan, there, None, _("different ({difference})", difference=difference or there.state)
        )
    raise AlreadyExists(
        _(
            "version {version} of model {model} exists and is different: {difference}",
            version=there.id,
            model=plan.model.id,
            difference=difference or _("state {state}", state=there.state),
        ),
        code=409,
        status="ALREADY_EXISTS",
        where="version.name",
        fix=_("add --replace, or leave the version's name out for the next free one"),
    )


def _difference(plan: Plan, target: Target, there: Version) -> str | None:
    """The first thing in which the planned version differs from the one that is there; None if in nothing."""
    for field in COMPARED:
        ours, theirs = getattr(plan.version, field), getattr(there, field)
        if ours != theirs and not (ours is None and field in ("framework", "machineType")):
            return _(
                "{field} is {theirs} there and {ours} here",
                field=field,
                theirs=_format_value(theirs),
                ours=_format_value(ours),
            )
    if plan.model_dir is None:
        same = str(GsUri.parse(there.deploymentUri or "gs://none")) == str(GsUri.parse(plan.deployment.origin))
        return None if same else f"deploymentUri: {there.deploymentUri}"
    directory = GsUri.parse(there.deploymentUri or "")
    changes = plan_upload(
        target.store, plan.model_dir.files, directory, digests=transfers(target.settings.data_dir).digests
    )
    if changes.send:
        return _("{name} has changed", name=changes.send[0].name)
    return _("{name} is there only", name=changes.extra[0].name) if changes.extra else None


def _operation(target: Target, version: Version) -> Operation | None:
    """The running operation that creates this version."""
    for operation in target.client.list_operations():
        metadata = operation.metadata
        if operation.done or metadata is None or metadata.operationType != "CREATE_VERSION":
            continue
        if metadata.version is not None and metadata.version.name == version.name:
            return operation
    return None


def _number(name: str) -> int:
    found = re.fullmatch(r"v([1-9]\d{0,8})", name)
    return int(found[1]) if found else 0


def _format_value(value: object) -> str:
    to_json = getattr(value, "to_json", None)
    return _("not set") if value is None else str(to_json() if to_json else value)

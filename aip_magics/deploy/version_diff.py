"""Compare a plan with an existing version: keep an equal one, wait for an unfinished one, recreate a failed one."""

from __future__ import annotations

import dataclasses
from typing import Literal

from aip_magics.deploy.plan import Plan
from aip_magics.errors import AlreadyExists
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Version
from aip_magics.storage import GsUri, TransferPaths, plan_upload
from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class VersionDecision:
    """What to do about the version of this name: `create` it, `keep` it, `wait` for it, or `replace` it.

    A version that exists but has no nodes, as after an interrupted run, is created too: its target only deploys it.
    `version` is the existing version, `operation` the running operation that creates it, `reason` says why.
    """

    action: Literal["create", "keep", "wait", "replace"]
    plan: Plan
    version: Version | None = None
    operation: Operation | None = None
    reason: str = ""


def compare_versions(plan: Plan, target: Target, existing: Version | None, *, strict: bool = True) -> VersionDecision:
    """Decide what to do about an existing version of the planned name.

    Args:
        plan: The plan with a named version.
        target: A connected target.
        existing: The version of this name, or None.
        strict: Whether a different version is an error; if not, the decision is `create`, under another name.

    Raises:
        AlreadyExists: The existing version differs and may not be replaced.
    """
    if existing is None:
        return VersionDecision("create", plan)
    if existing.state == "CREATING":
        operation = target.client.find_creation(existing)
        if operation is not None:
            return VersionDecision("wait", plan, existing, operation, _("still being created"))
    if existing.state == "FAILED":
        return VersionDecision("replace", plan, existing, None, _("failed before"))
    difference = _difference(plan, target, existing)
    if difference is None and existing.state == "READY":
        return VersionDecision("keep", plan, existing, None, _("unchanged"))
    if difference is None and existing.state == "UNDEPLOYED":
        return VersionDecision("create", plan, existing, None, _("unchanged, but not deployed"))
    if not strict:
        return VersionDecision("create", plan)
    if plan.deployment.replace:
        return VersionDecision(
            "replace", plan, existing, None, _("different ({difference})", difference=difference or existing.state)
        )
    raise AlreadyExists(
        _(
            "version {version} of model {model} already exists and differs: {difference}",
            version=existing.id,
            model=plan.model.id,
            difference=difference or _("state {state}", state=existing.state),
        ),
        code=409,
        status="ALREADY_EXISTS",
        where="version.name",
        fix=_("add --replace, or omit the version's name to use the next free name"),
    )


def _difference(plan: Plan, target: Target, existing: Version) -> str | None:
    """Describe the first difference between the planned and the existing version; None if there is none."""
    if found := target.difference(plan.model.id, plan.version, existing):
        return _(
            "{field}: deployed {theirs}, requested {ours}",
            field=found.field,
            theirs=_format_value(found.deployed),
            ours=_format_value(found.requested),
        )
    if other := target.get_other_python(plan.model.id, existing.id):
        return _(
            "{field}: deployed {theirs}, requested {ours}",
            field="--env",
            theirs=other,
            ours=plan.deployment.env,
        )
    if plan.model_dir is None:
        same = str(GsUri.parse(existing.deploymentUri or "gs://none")) == str(GsUri.parse(plan.deployment.origin))
        return None if same else f"deploymentUri: {existing.deploymentUri}"
    directory = GsUri.parse(existing.deploymentUri or "")
    changes = plan_upload(
        target.storage_client,
        plan.model_dir.files,
        directory,
        digests=TransferPaths.below(target.settings.data_dir).digests,
    )
    if changes.send:
        return _("{name} has changed", name=changes.send[0].name)
    return _("{name} exists only in Cloud Storage", name=changes.extra[0].name) if changes.extra else None


def _format_value(value: object) -> str:
    to_json = getattr(value, "to_json", None)
    return _("not set") if value is None else str(to_json() if to_json else value)

"""Resolve a plan against the versions of its model: name the version, derive its deploymentUri, decide what to do.

The name of a version may depend on the existing versions, which only the target knows. The `deploymentUri` is derived
from bucket, model and version name, and the URIs of local packages from the bucket.
"""

from __future__ import annotations

import dataclasses
import re

from aip_magics.deploy.package_uploads import is_remote, resolve_package_uris
from aip_magics.deploy.plan import Plan
from aip_magics.deploy.version_diff import VersionDecision, compare_versions
from aip_magics.errors import FailedPrecondition
from aip_magics.i18n import gettext as _
from aip_magics.settings import default_bucket
from aip_magics.spec import Version
from aip_magics.storage import GsUri, StorageRequestError, get_object, has_objects, no_objects, split_uri
from aip_magics.targets import Target


def resolve_version(plan: Plan, target: Target, versions: list[Version]) -> VersionDecision:
    """Name the version if the user did not, and decide what to do about an existing version of this name.

    Args:
        plan: The plan, without a deploymentUri.
        target: A connected target.
        versions: The versions that the model has at the target.

    Returns:
        The decision; its plan has the version's name and deploymentUri.

    Raises:
        AlreadyExists: The requested name belongs to a different version and `--replace` was not given.
        FailedPrecondition: The version to replace cannot be deleted before others.
        StorageError: The model or a package that would replace a version is not in Cloud Storage.
    """
    existing = {version.id: version for version in versions}
    if plan.version.name:
        named = resolve_deployment_uri(plan, target, plan.version.name, "")
        decision = compare_versions(named, target, existing.get(plan.version.name))
        _check_can_be_deleted(decision, versions)
        if decision.action == "replace":
            _check_remote_files_exist(plan, target)
        return decision
    newest = max((number for number in map(_version_number, existing) if number), default=0)
    if newest:
        # Reuse the newest numbered version if it is unchanged or unfinished: a cell that runs twice is one deployment.
        name = f"v{newest}"
        named = resolve_deployment_uri(plan, target, name, "")
        decision = compare_versions(named, target, existing[name], strict=False)
        if decision.version is not None:
            source = _("newest version: {reason}", reason=decision.reason)
            return dataclasses.replace(decision, plan=decision.plan.record_choice("name", name, source))
    source = _("next free name after v{number}", number=newest) if newest else _("first version of this model")
    return VersionDecision("create", resolve_deployment_uri(plan, target, f"v{newest + 1}", source))


def _check_can_be_deleted(decision: VersionDecision, versions: list[Version]) -> None:
    """Refuse to replace the default version of several, as the target would, before its files are overwritten.

    Otherwise the files of the failed run would pass for those of the version, which the next run would call unchanged.
    """
    version, model = decision.version, decision.plan.model.id
    if decision.action != "replace" or version is None or not version.isDefault or len(versions) == 1:
        return
    others = [one.id for one in versions if one.id != version.id]
    ready = [one.id for one in versions if one.id != version.id and one.state == "READY"]
    raise FailedPrecondition(
        _("{version} is the default version of model {model}, which is deleted last", version=version.id, model=model),
        code=400,
        status="FAILED_PRECONDITION",
        where="version.name",
        fix=_("run %aip_set_default {version} --model {model} first", version=(ready or others)[-1], model=model),
    )


def _check_remote_files_exist(plan: Plan, target: Target) -> None:
    """Refuse to replace a version by files that are not in Cloud Storage: it would be deleted, and no other created."""
    client, origin = target.storage_client, plan.deployment.origin
    packages = filter(is_remote, plan.version.packageUris or ())
    try:
        missing = [origin] if plan.deployment.is_remote and not has_objects(client, GsUri.parse(origin)) else []
        missing += [uri for uri in packages if get_object(client, *split_uri(uri)) is None]
    except StorageRequestError as error:
        if error.code not in (401, 403):
            raise
        return  # the service may read what the user may not
    if missing:
        raise no_objects(missing[0])


def resolve_deployment_uri(plan: Plan, target: Target, name: str, source: str) -> Plan:
    """Name the version and derive `deploymentUri` and `packageUris` from the name and the bucket. Sends no request.

    Args:
        plan: The plan of a version without a final name.
        target: Its settings name the bucket, if the deployment does not.
        name: The name of the version.
        source: Where the name comes from; empty for a name that the user gave.

    Returns:
        The plan with `upload_to` and `packages`, the uploads that these URIs require.
    """
    version = plan.version.replace(name=name)
    if source:
        plan = plan.record_choice("name", name, source)
    packages = version.packageUris or ()
    if plan.deployment.is_remote and all(map(is_remote, packages)):
        return dataclasses.replace(plan, version=version)
    bucket, bucket_source = _bucket(plan, target)
    if bucket_source:
        plan = plan.record_choice("bucket", bucket, bucket_source)
    uris, files = resolve_package_uris(packages, bucket)
    version = version.replace(packageUris=uris or None)
    if plan.deployment.is_remote:
        return dataclasses.replace(plan, version=version, packages=files)
    destination = GsUri.parse(f"gs://{bucket}").child(plan.model.id, name)
    version = version.replace(deploymentUri=str(destination))
    return dataclasses.replace(plan, version=version, upload_to=destination, packages=files)


def _bucket(plan: Plan, target: Target) -> tuple[str, str]:
    """The bucket of the uploads and the source of this choice; no source for a bucket that the user gave."""
    if plan.deployment.staging_bucket:
        return GsUri.parse(plan.deployment.staging_bucket).bucket, ""
    if setting := target.settings.bucket:
        return GsUri.parse(f"gs://{setting.value.removeprefix('gs://')}").bucket, setting.label
    found = default_bucket(target.settings)
    return found.value, found.source


def _version_number(name: str) -> int:
    found = re.fullmatch(r"v([1-9]\d{0,8})", name)
    return int(found[1]) if found else 0

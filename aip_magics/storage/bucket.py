"""Buckets: find, create, locate, and list the members that may read."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import url_paths
from aip_magics.storage.gs_uri import check_bucket_name
from aip_magics.storage.http.client import StorageClient, StorageRequestError

READ_ROLE = "roles/storage.objectViewer"
# Reading a model needs storage.objects.list and storage.objects.get; custom roles may contain them as well.
_READING = {READ_ROLE, "roles/storage.objectAdmin", "roles/storage.objectUser", "roles/storage.admin"}
_LISTING = {f"roles/storage.legacyBucket{kind}" for kind in ("Reader", "Writer", "Owner")}
_GETTING = {f"roles/storage.legacyObject{kind}" for kind in ("Reader", "Owner")}
# Regions of the multi-regions and predefined dual-regions: https://cloud.google.com/storage/docs/locations
_MULTI_REGIONS = {"us": "us-", "eu": "europe-", "asia": "asia-"}
_NOT_IN_EU = {"europe-west2", "europe-west6"}
_DUAL_REGIONS = {
    "nam4": ("us-central1", "us-east1"),
    "eur4": ("europe-north1", "europe-west4"),
    "eur5": ("europe-west1", "europe-west2"),
    "eur7": ("europe-west2", "europe-west3"),
    "eur8": ("europe-west3", "europe-west6"),
    "asia1": ("asia-northeast1", "asia-northeast2"),
}


@dataclasses.dataclass(frozen=True)
class Bucket:
    """An existing bucket. `created`: this run created it.

    `location` is in lower case, `regions` are those of a configurable dual-region, `project_number` consists of digits.
    All three are empty if the user may use the bucket but not read its metadata.
    """

    name: str
    location: str = ""
    regions: tuple[str, ...] = ()
    project_number: str = ""
    created: bool = False

    @property
    def summary(self) -> str:
        """One line for the user: found or created, and the location."""
        if self.created:
            return _("created bucket gs://{name} ({location})", name=self.name, location=self.location)
        if not self.location:
            return _("found bucket gs://{name}", name=self.name)
        return _("found bucket gs://{name} ({location})", name=self.name, location=self.location)

    def is_in(self, region: str) -> bool:
        """Whether its data is stored in this region; True if the location is unknown."""
        if not self.location or self.location == region:
            return True
        if regions := self.regions or _DUAL_REGIONS.get(self.location):
            return region in regions
        outside = self.location == "eu" and region in _NOT_IN_EU
        return region.startswith(_MULTI_REGIONS.get(self.location, "/")) and not outside


def ensure_bucket(client: StorageClient, name: str, *, project: str, location: str) -> Bucket:
    """Find the bucket, or create it in `location` for `project`, with uniform access and without public access.

    StorageError if the name is invalid (before any request) or taken, or a permission is missing.
    """
    return find_bucket(client, name) or create_bucket(client, name, project=project, location=location)


def find_bucket(client: StorageClient, name: str) -> Bucket | None:
    """The bucket, None if it does not exist. Raises as `ensure_bucket` does."""
    check_bucket_name(name)
    target = f"{url_paths.bucket_path(name)}?fields=location,customPlacementConfig,projectNumber"
    try:
        return _from_resource(name, client.request("GET", target, where=f"gs://{name}").json())
    except StorageRequestError as error:
        if error.code == 404:
            return None
        if error.code != 403:
            raise
    if _may_write(client, name):
        return Bucket(name)
    raise StorageError(
        _("the bucket exists, but you have no permission to use it"),
        where=f"gs://{name}",
        fix=_("use another bucket, or ask the owner of this one for roles/storage.objectAdmin"),
    )


def create_bucket(client: StorageClient, name: str, *, project: str, location: str) -> Bucket:
    """Create the bucket, or find the one that another process has just created. Raises as `ensure_bucket` does."""
    check_bucket_name(name)
    access = {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"}
    resource = {"name": name, "location": location.upper(), "iamConfiguration": access}
    target = f"{url_paths.BUCKETS}?{urllib.parse.urlencode({'project': project})}"
    body = json.dumps(resource).encode()
    try:
        created = client.request(
            "POST", target, where=f"gs://{name}", body=body, Content_Type="application/json"
        ).json()
    except StorageRequestError as error:
        # Also after a response that was lost: the first attempt had created it.
        if error.code == 409 and (found := _find_usable(client, name)):
            return found
        raise _creation_error(error, name, project, location) from error
    return dataclasses.replace(_from_resource(name, created), created=True)


def bucket_readers(client: StorageClient, name: str) -> frozenset[str]:
    """The members (`serviceAccount:…`, `allUsers`) whom the bucket's policy lets list and get its objects.

    Project-wide grants are not visible here, conditional ones are not counted. StorageRequestError if the user may not
    read the policy.
    """
    target = f"{url_paths.bucket_path(name, 'iam')}?optionsRequestedPolicyVersion=3"
    bindings = client.request("GET", target, where=f"gs://{name}").json().get("bindings") or ()
    granted = [row for row in bindings if not row.get("condition")]

    def members(roles: set[str]) -> set[str]:
        return {str(member) for row in granted if row.get("role") in roles for member in row.get("members") or ()}

    return frozenset(members(_READING) | (members(_LISTING) & members(_GETTING)))


def grant_command(bucket: str, reader: str) -> str:
    """The command with which the bucket's owner grants the service account read access."""
    return (
        f"gcloud storage buckets add-iam-policy-binding gs://{bucket} "
        f"--member=serviceAccount:{reader} --role={READ_ROLE}"
    )


def _from_resource(name: str, data: Mapping[str, Any]) -> Bucket:
    placement = data.get("customPlacementConfig") or {}
    regions = tuple(str(region).lower() for region in placement.get("dataLocations") or ())
    return Bucket(name, str(data.get("location") or "").lower(), regions, str(data.get("projectNumber") or ""))


def _may_write(client: StorageClient, name: str) -> bool:
    # Permissions on objects without storage.buckets.get (roles/storage.objectAdmin) are usual for a bucket that another
    # team manages.
    permission = "storage.objects.create"
    try:
        target = f"{url_paths.bucket_path(name, 'iam/testPermissions')}?permissions={permission}"
        answer = client.request("GET", target, where=f"gs://{name}").json()
    except StorageRequestError:
        return False
    return permission in (answer.get("permissions") or ())


def _find_usable(client: StorageClient, name: str) -> Bucket | None:
    """The bucket if the user may use it."""
    try:
        return find_bucket(client, name)
    except StorageError:
        return None


def _creation_error(error: StorageRequestError, name: str, project: str, location: str) -> StorageError:
    where = f"gs://{name}"
    if error.code == 409:
        text = _("the bucket name is already in use")
        fix = _("choose another name, for example {name}-models; bucket names are globally unique", name=name)
    elif error.code == 403:
        text = _("no permission to create a bucket in project {project}: {text}", project=project, text=error.text)
        fix = _("use an existing bucket, or ask for roles/storage.admin in {project}", project=project)
    elif error.code == 400:
        text = _("could not create the bucket in {location}: {text}", location=location, text=error.text)
        fix = _("choose the region with --region, for example us-central1")
    else:
        return error
    return StorageError(text, where=where, fix=fix)

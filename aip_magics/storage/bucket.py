"""Buckets: used when they are there, made when they are missing; where they are and who may read them."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import paths
from aip_magics.storage.names import check_bucket_name
from aip_magics.storage.store import Refused, Store

READ_ROLE = "roles/storage.objectViewer"
# To read a model takes storage.objects.list and storage.objects.get; a role of a project's own may hold them, too.
_READING = {READ_ROLE, "roles/storage.objectAdmin", "roles/storage.objectUser", "roles/storage.admin"}
_LISTING = {f"roles/storage.legacyBucket{kind}" for kind in ("Reader", "Writer", "Owner")}
_GETTING = {f"roles/storage.legacyObject{kind}" for kind in ("Reader", "Owner")}
# Which regions a multi-region or predefined dual-region is in: https://cloud.google.com/storage/docs/locations
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
    """A bucket that is there. `made`: it was made just now.

    `location` is in lower case, `regions` are those of a dual-region that was put together by its owner;
    `project_number` are digits. They are empty where the bucket may be used but not looked at.
    """

    name: str
    location: str = ""
    regions: tuple[str, ...] = ()
    project_number: str = ""
    made: bool = False

    @property
    def told(self) -> str:
        """One line about it: there or made, and where."""
        if self.made:
            return _("gs://{name} made ({location})", name=self.name, location=self.location)
        if not self.location:
            return _("gs://{name} is there", name=self.name)
        return _("gs://{name} is there ({location})", name=self.name, location=self.location)

    def is_in(self, region: str) -> bool:
        """Whether its data lies in this region; True where its location is not known."""
        if not self.location or self.location == region:
            return True
        if regions := self.regions or _DUAL_REGIONS.get(self.location):
            return region in regions
        outside = self.location == "eu" and region in _NOT_IN_EU
        return region.startswith(_MULTI_REGIONS.get(self.location, "/")) and not outside


def ensure_bucket(store: Store, name: str, *, project: str, location: str) -> Bucket:
    """The bucket; made in `location` for `project` where it is not there, with uniform access, closed to the public.

    StorageError where the name is illegal (nothing is asked then) or somebody else's, or permission is missing.
    """
    return find_bucket(store, name) or make_bucket(store, name, project=project, location=location)


def find_bucket(store: Store, name: str) -> Bucket | None:
    """The bucket, None where there is none of that name; StorageError as `ensure_bucket` says."""
    check_bucket_name(name)
    target = f"{paths.of_bucket(name)}?fields=location,customPlacementConfig,projectNumber"
    try:
        return _read(name, store.call("GET", target, where=f"gs://{name}").json())
    except Refused as error:
        if error.code == 404:
            return None
        if error.code != 403:
            raise
    if _may_write(store, name):
        return Bucket(name)
    raise StorageError(
        _("the bucket is there, but you may not use it: it is somebody else's, or you lack the right"),
        where=f"gs://{name}",
        fix=_("name another bucket, or ask its owner for roles/storage.objectAdmin on it"),
    )


def make_bucket(store: Store, name: str, *, project: str, location: str) -> Bucket:
    """Make the bucket. One that somebody of us made meanwhile is as good; StorageError as `ensure_bucket` says."""
    check_bucket_name(name)
    access = {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"}
    wanted = {"name": name, "location": location.upper(), "iamConfiguration": access}
    target = f"{paths.BUCKETS}?{urllib.parse.urlencode({'project': project})}"
    body = json.dumps(wanted).encode()
    try:
        made = store.call("POST", target, where=f"gs://{name}", body=body, Content_Type="application/json").json()
    except Refused as error:
        # Also after an answer that was lost: the first try had made it.
        if error.code == 409 and (found := _ours(store, name)):
            return found
        raise _not_made(error, name, project, location) from error
    return dataclasses.replace(_read(name, made), made=True)


def readers(store: Store, name: str) -> frozenset[str]:
    """The members (`serviceAccount:…`, `allUsers`) whom the bucket's policy lets list and get its objects.

    A grant to the whole project is not seen, one under a condition is not counted. Refused where the policy may not be
    seen.
    """
    target = f"{paths.of_bucket(name, 'iam')}?optionsRequestedPolicyVersion=3"
    bindings = store.call("GET", target, where=f"gs://{name}").json().get("bindings") or ()
    granted = [row for row in bindings if not row.get("condition")]

    def members(roles: set[str]) -> set[str]:
        return {str(member) for row in granted if row.get("role") in roles for member in row.get("members") or ()}

    return frozenset(members(_READING) | (members(_LISTING) & members(_GETTING)))


def grant_command(bucket: str, reader: str) -> str:
    """The command by which the bucket's owner lets the service account read it."""
    return (
        f"gcloud storage buckets add-iam-policy-binding gs://{bucket} "
        f"--member=serviceAccount:{reader} --role={READ_ROLE}"
    )


def _read(name: str, data: Mapping[str, Any]) -> Bucket:
    placement = data.get("customPlacementConfig") or {}
    regions = tuple(str(region).lower() for region in placement.get("dataLocations") or ())
    return Bucket(name, str(data.get("location") or "").lower(), regions, str(data.get("projectNumber") or ""))


def _may_write(store: Store, name: str) -> bool:
    # Rights on the objects without storage.buckets.get (roles/storage.objectAdmin) are the usual thing for a bucket
    # that somebody else looks after.
    wanted = "storage.objects.create"
    try:
        target = f"{paths.of_bucket(name, 'iam/testPermissions')}?permissions={wanted}"
        answer = store.call("GET", target, where=f"gs://{name}").json()
    except Refused:
        return False
    return wanted in (answer.get("permissions") or ())


def _ours(store: Store, name: str) -> Bucket | None:
    """The bucket where it may be used."""
    try:
        return find_bucket(store, name)
    except StorageError:
        return None


def _not_made(error: Refused, name: str, project: str, location: str) -> StorageError:
    where = f"gs://{name}"
    if error.code == 409:
        text = _("the name of the bucket is taken by somebody else")
        fix = _("bucket names are unique in the whole world: name another one, such as {name}-models", name=name)
    elif error.code == 403:
        text = _("you may not make a bucket in project {project}: {text}", project=project, text=error.text)
        fix = _("name a bucket that is there, or ask for roles/storage.admin in {project}", project=project)
    elif error.code == 400:
        text = _("the bucket cannot be made in {location}: {text}", location=location, text=error.text)
        fix = _("choose the region with --region, such as us-central1")
    else:
        return error
    return StorageError(text, where=where, fix=fix)

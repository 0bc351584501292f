"""Artifacts of versions in Cloud Storage: which versions use an object, and which objects go with a version."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from aip_magics.deploy.package_uploads import PACKAGES_DIR
from aip_magics.errors import NotFound, ServiceEnded
from aip_magics.spec import Version
from aip_magics.storage import PlannedRemoval, RemovalPlan, RemovalUri, plan_removal
from aip_magics.targets import Target

_PACKAGE = re.compile(rf"gs://[^/]+/{PACKAGES_DIR}/[0-9a-f]{{64}}/[^/]+")


@dataclasses.dataclass(frozen=True)
class ListedVersion:
    """A version, and the region of its endpoint if that is not the target's."""

    version: Version
    region: str = ""

    @property
    def label(self) -> str:
        """The name for the user: `iris/v1`, `iris/v1 (us-east1)`."""
        label = "/".join((self.version.name or "").split("/")[-3::2])
        return f"{label} ({self.region})" if self.region else label


class ArtifactUsers:
    """Which of these versions use an object: by their deploymentUri, a directory, or by their packageUris."""

    def __init__(self, listed: Iterable[ListedVersion]) -> None:
        self._by_uri: dict[str, list[str]] = {}
        for each in listed:
            origin = each.version.deploymentUri
            uris = [origin, f"{origin.rstrip('/')}/"] if origin else []
            for uri in (*uris, *(each.version.packageUris or ())):
                self._by_uri.setdefault(uri, []).append(each.label)

    def find(self, uri: str) -> set[str]:
        """The labels of the versions that use this object."""
        directories = (uri[: at + 1] for at, sign in enumerate(uri) if sign == "/")
        return {label for name in (uri, *directories) for label in self._by_uri.get(name, ())}


@dataclasses.dataclass(frozen=True)
class ArtifactPlan:
    """What is deleted with versions, and what is kept.

    Attributes:
        removal: The objects to delete.
        foreign: URIs of the versions that no deployment of this tool writes: the user's own.
        used: URIs with objects that other versions use, with the labels of these versions.
    """

    removal: RemovalPlan
    foreign: tuple[str, ...]
    used: tuple[tuple[str, tuple[str, ...]], ...] = ()


def list_all_versions(target: Target) -> list[ListedVersion]:
    """List the versions of all models of the target's project: on the embedded server those of every region.

    ApiError if a list is not permitted or fails. An endpoint whose service has ended has no versions.
    """
    return [listed for each, region in _regional_targets(target) for listed in _list_versions(each, region)]


def plan_artifacts(target: Target, versions: Sequence[Version], listed: Iterable[ListedVersion]) -> ArtifactPlan:
    """Plan the removal of what deployments of this tool uploaded for these versions.

    These are `gs://BUCKET/MODEL/VERSION/` as the deploymentUri of this very version, and packages at
    `gs://BUCKET/packages/SHA256/NAME`. All else is the user's own, for example the output of a training job.

    Args:
        target: A connected target.
        versions: The versions that are deleted.
        listed: All versions (`list_all_versions`); what another one uses is kept.
    """
    own, foreign = dict[str, None](), dict[str, None]()
    for version in versions:
        origin = version.deploymentUri
        if origin:
            (own if _is_own_directory(origin, version) else foreign)[f"{origin.rstrip('/')}/"] = None
        for package in version.packageUris or ():
            (own if _PACKAGE.fullmatch(package) else foreign)[package] = None
    found = plan_removal(target.storage_client, map(RemovalUri.parse, own), missing_ok=True)
    return keep_used(ArtifactPlan(found, tuple(uri for uri in foreign if uri not in own)), versions, listed)


def keep_used(plan: ArtifactPlan, versions: Sequence[Version], listed: Iterable[ListedVersion]) -> ArtifactPlan:
    """The plan without the objects that a version other than `versions` uses."""
    deleted = {version.name for version in versions}
    users = ArtifactUsers(each for each in listed if each.region or each.version.name not in deleted)
    objects: list[PlannedRemoval] = []
    uris: list[str] = []
    used: list[tuple[str, tuple[str, ...]]] = []
    for uri in plan.removal.uris:
        named = [
            each for each in plan.removal.objects if each.uri == uri or (uri[-1] == "/" and each.uri.startswith(uri))
        ]
        labels = {each.uri: users.find(each.uri) for each in named}
        unused = [each for each in named if not labels[each.uri]]
        objects += unused
        if len(unused) < len(named):
            used.append((uri, tuple(sorted(set().union(*labels.values())))))
            uris += [each.uri for each in unused]
        elif unused:
            uris.append(uri)
    removal = dataclasses.replace(plan.removal, uris=tuple(uris), objects=tuple(objects), missing=())
    return dataclasses.replace(plan, removal=removal, used=(*plan.used, *used))


def _is_own_directory(origin: str, version: Version) -> bool:
    """Whether `resolve_deployment_uri` names the version's directory like this."""
    model = (version.name or "").split("/")[-3]
    return re.fullmatch(rf"gs://[^/]+/{re.escape(model)}/{re.escape(version.id)}/?", origin) is not None


def _regional_targets(target: Target) -> Iterator[tuple[Target, str]]:
    """The target, and the embedded server's other endpoints: a version of any of them may use the same bucket."""
    yield target, ""
    for sibling in target.list_siblings():
        region = sibling.region or "global"
        yield sibling, region if sibling.name == target.name else f"{sibling.name}, {region}"


def _list_versions(target: Target, region: str) -> Iterator[ListedVersion]:
    with contextlib.suppress(ServiceEnded):
        for model in target.client.list_models():
            with contextlib.suppress(NotFound):  # deleted since the list
                for version in target.client.list_versions(model.name or ""):
                    yield ListedVersion(version, region)

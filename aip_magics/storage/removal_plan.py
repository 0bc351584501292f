"""Plan of a removal: the objects that URIs name, with their generations, before any object is deleted."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.gs_uri import GsUri, check_object_name, no_objects, split_uri
from aip_magics.storage.http.client import StorageClient, StorageRequestError
from aip_magics.storage.object_api import RemoteObject, get_object, iterate_resources, listing_error

_FIELDS = "name,size,generation"
_WILDCARD = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True)
class RemovalUri:
    """`gs://BUCKET/NAME`, letter for letter: one object, or with a trailing slash all objects below a directory.

    As in `gcloud storage rm --recursive`, but `*`, `?` and `[` are ordinary letters: object names may contain them.
    """

    bucket: str
    name: str

    @classmethod
    def parse(cls, text: str) -> RemovalUri:
        """Parse a URI. StorageError if Cloud Storage has no such names."""
        bucket, name = split_uri(text)
        if name:
            check_object_name(name)
        return cls(bucket, name)

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}"

    @property
    def is_bucket(self) -> bool:
        """Whether all objects of the bucket are meant."""
        return not self.name

    @property
    def is_directory(self) -> bool:
        return not self.name or self.name.endswith("/")

    def names(self, each: PlannedRemoval) -> bool:
        """Whether the URI names this object."""
        named = each.name.startswith(self.name) if self.is_directory else each.name == self.name
        return named and each.bucket == self.bucket


@dataclasses.dataclass(frozen=True)
class PlannedRemoval:
    """An object to delete. `size` in bytes; another `generation` of the object is not deleted."""

    bucket: str
    name: str
    size: int
    generation: int

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}/{self.name}"

    def to_json(self) -> dict[str, Any]:
        return {"uri": self.uri, "size": self.size, "generation": self.generation}


@dataclasses.dataclass(frozen=True)
class RemovalPlan:
    """The objects to delete, by URI. `missing` are URIs without an object, `used_by` versions that use objects."""

    panel_kind: ClassVar[str] = "removal plan"
    uris: tuple[str, ...]
    objects: tuple[PlannedRemoval, ...]
    missing: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(each.size for each in self.objects)

    def to_json(self) -> dict[str, Any]:
        return {
            "uris": list(self.uris),
            "objects": [each.to_json() for each in self.objects],
            "count": len(self.objects),
            "bytes": self.bytes,
            "missing": list(self.missing),
            "usedBy": list(self.used_by),
        }


def plan_removal(client: StorageClient, uris: Iterable[RemovalUri], *, missing_ok: bool = False) -> RemovalPlan:
    """List the objects that the URIs name; an object that two of them name is in the plan once.

    Args:
        client: The endpoint.
        uris: Objects and directories.
        missing_ok: Return an empty plan if no URI has an object.

    Raises:
        StorageError: No URI has an object, or a listing failed.
    """
    uris = tuple(uris)
    found: dict[tuple[str, str], PlannedRemoval] = {}
    missing: list[RemovalUri] = []
    for uri in uris:
        objects = {(each.bucket, each.name): each for each in _find(client, uri)}
        found |= objects
        if not objects:
            missing.append(uri)
    if missing and not found and not missing_ok:
        raise _missing_error(client, missing[0])
    ordered = tuple(found[key] for key in sorted(found))
    return RemovalPlan(tuple(map(str, uris)), ordered, tuple(map(str, missing)))


def _find(client: StorageClient, uri: RemovalUri) -> Iterator[PlannedRemoval]:
    if not uri.is_directory:
        remote = get_object(client, uri.bucket, uri.name)
        if remote is not None:
            yield PlannedRemoval(uri.bucket, remote.name, remote.size, remote.generation)
        return
    directory = GsUri(uri.bucket, uri.name)
    for resource in _resources(client, directory):
        remote = RemoteObject.from_resource(resource)
        # What an endpoint lists is deleted: an object elsewhere, of an endpoint that ignores the prefix, must not be.
        if not remote.name.startswith(uri.name) or not remote.name:
            raise listing_error(client, directory, _("an object outside of the directory: {name}", name=remote.name))
        yield PlannedRemoval(uri.bucket, remote.name, remote.size, remote.generation)


def _resources(client: StorageClient, directory: GsUri) -> Iterator[Mapping[str, Any]]:
    try:
        yield from iterate_resources(client, directory, _FIELDS)
    except StorageRequestError as error:
        if error.code != 404:
            raise


def _missing_error(client: StorageClient, uri: RemovalUri) -> StorageError:
    """The error for a URI without objects; its fix names what exists: the directory or the object of this name."""
    other = RemovalUri(uri.bucket, uri.name.rstrip("/") if uri.is_directory else f"{uri.name}/")
    exists = other.name and any(itertools.islice(_find(client, other), 1))
    if exists and not uri.is_directory:
        text, fix = _("a directory, not an object"), _("add a slash to delete all objects below: {uri}", uri=other)
    elif exists:
        text, fix = _("an object, not a directory"), _("remove the slash to delete the object: {uri}", uri=other)
    elif wildcard := _WILDCARD.search(uri.name):
        text = _("no objects found: {sign} is not a wildcard here", sign=wildcard[0])
        above = uri.name[: wildcard.start()].rpartition("/")[0]
        directory = RemovalUri(uri.bucket, f"{above}/" if above else "")
        quoted = shlex.quote(str(directory))
        fix = _("list the names with %aip_remove {uri} --dry-run, then name the objects", uri=quoted)
    else:
        return no_objects(str(uri))
    return StorageError(text, where=str(uri), fix=fix)

"""The types of targets by name: those of this package, and those of the entry point group `aip_magics.targets`.

A type is known without importing the module of its target. A package adds one by an entry point that names a
`TargetType`::

    [project.entry-points."aip_magics.targets"]
    mine = "my_package.targets:MINE"
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Collection, Iterator
from typing import Any

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _

GROUP = "aip_magics.targets"


@dataclasses.dataclass(frozen=True)
class TargetType:
    """A type of target, and which of the user's settings belong to it.

    Attributes:
        name: The value of `--target`.
        factory: `module:name` of its subclass of `aip_magics.targets.Target`, imported once a target is needed.
        default_project: The project where the user has set none; empty if the target requires one.
        endpoint_property: The property of gcloud's configuration with a base URL that replaces its endpoint's; empty
            if the target has no other endpoint than its own.
        endpoint_variables: Environment variables with the same.
        region_property: The property of gcloud's configuration with its region.
        default_region: The region where the user has set none; empty if the target has a global endpoint.
        default_bucket: The name of the bucket of uploads where the user has set none, with `{project}` and `{region}`.
        has_local_endpoint: Whether `--endpoint local` is the embedded server, which speaks the same API.
    """

    name: str
    factory: str
    default_project: str = ""
    endpoint_property: str = ""
    endpoint_variables: tuple[str, ...] = ()
    region_property: str = "ai_platform/region"
    default_region: str = ""
    default_bucket: str = "{project}-aiplatform"
    has_local_endpoint: bool = False

    def load(self) -> Any:
        """Import and return the class of the target.

        Raises:
            SettingsError: The class of another package cannot be imported.
        """
        module, _sep, name = self.factory.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:
            if self.name in _OWN:
                raise
            raise _entry_point_error(_entry_points()[self.name], f"{type(error).__name__}: {error}") from error


LOCAL = TargetType("local", "aip_magics.targets.local:LocalTarget", default_project="aip-local")
AI_PLATFORM = TargetType(
    "aiplatform",
    "aip_magics.targets.aiplatform:AiPlatformTarget",
    endpoint_property="api_endpoint_overrides/ml",
    endpoint_variables=("AIP_MAGICS_ENDPOINT",),
)
VERTEX = TargetType(
    "vertex",
    "aip_magics.targets.vertex.target:VertexTarget",
    endpoint_property="api_endpoint_overrides/aiplatform",
    region_property="ai/region",
    default_region="us-central1",
    default_bucket="{project}-vertex-{region}",  # a bucket must be in the region of the endpoint
    has_local_endpoint=True,
)
_OWN = {each.name: each for each in (LOCAL, AI_PLATFORM, VERTEX)}
OWN_NAMES = tuple(_OWN)


def get(name: str, where: str = "target") -> TargetType:
    """Return the type of this name; `where` is the place of the name in errors.

    Raises:
        SettingsError: No target has the name, or the entry point of this name cannot be loaded.
    """
    found = find(name)
    if found is None:
        from aip_magics.spec import nearest  # only for this error: every command builds its options from the names

        fix = nearest(name, list(NAMES)) or _("one of {names}", names=", ".join(NAMES))
        raise SettingsError(_("unknown target {value!r}", value=name), where=where, fix=fix)
    return found


def find(name: str) -> TargetType | None:
    """Find a type by its name; None if no target has the name.

    Raises:
        SettingsError: The entry point of this name cannot be loaded.
    """
    if name in _OWN:
        return _OWN[name]
    entry_point = _entry_points().get(name)
    if entry_point is None:
        return None
    try:
        found = entry_point.load()
    except Exception as error:
        raise _entry_point_error(entry_point, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, TargetType):
        raise _entry_point_error(entry_point, _("expected a TargetType, got {kind}", kind=type(found).__name__))
    return dataclasses.replace(found, name=name)


class _Names(Collection[str]):
    """The names of all types. Those of entry points are read when they are needed: that takes a tenth of a second."""

    def __contains__(self, name: object) -> bool:
        return name in _OWN or name in _entry_points()

    def __iter__(self) -> Iterator[str]:
        return iter((*_OWN, *_entry_points()))

    def __len__(self) -> int:
        return len(_OWN) + len(_entry_points())


NAMES: Collection[str] = _Names()


@functools.cache
def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {each.name: each for each in entry_points(group=GROUP) if each.name not in _OWN}


def _entry_point_error(entry_point: Any, reason: str) -> SettingsError:
    text = _("target {name} cannot be loaded: {reason}", name=entry_point.name, reason=reason)
    package = entry_point.dist.name if entry_point.dist else entry_point.value
    fix = _("reinstall {package}, or use another target", package=package)
    return SettingsError(text, where=_("entry point {value}", value=entry_point.value), fix=fix)

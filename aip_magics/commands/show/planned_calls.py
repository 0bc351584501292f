"""Planned calls of a command as values: API requests and transfers with Cloud Storage."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from aip_magics.client import Request, Wait
from aip_magics.prediction.instances import encode

if TYPE_CHECKING:
    from aip_magics.deploy import Plan
    from aip_magics.storage import PlannedRemoval
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class MakeBucket:
    """Create a bucket unless it exists."""

    name: str
    location: str


@dataclasses.dataclass(frozen=True)
class Upload:
    """Upload a local file to an object."""

    path: Path
    bucket: str
    object: str


@dataclasses.dataclass(frozen=True)
class Sync:
    """Upload a local directory to `gs://bucket/prefix`. `prefix` is empty or ends with a slash.

    `left_out` are the skipped names below `directory`. `delete_extra` deletes objects that have no local file.
    """

    directory: Path
    files: tuple[Upload, ...]
    left_out: tuple[str, ...]
    bucket: str
    prefix: str
    delete_extra: bool = False


@dataclasses.dataclass(frozen=True)
class Download:
    """Download objects to a local directory. `names` are relative to `gs://bucket/prefix`.

    `all`: the names are all objects below the prefix; otherwise they are one object that the user named.
    """

    bucket: str
    prefix: str
    names: tuple[str, ...]
    directory: Path
    all: bool = True


@dataclasses.dataclass(frozen=True)
class Remove:
    """Delete objects. `directory` is their gs:// URI if they are all objects below it, else empty."""

    objects: tuple[PlannedRemoval, ...]
    directory: str = ""


PlannedCall: TypeAlias = Request | MakeBucket | Upload | Sync | Download | Remove | Wait


@dataclasses.dataclass(frozen=True)
class Address:
    """The parts of a request's path; a missing part is empty. `verb` is the custom method after the colon."""

    project: str
    model: str = ""
    version: str = ""
    operation: str = ""
    verb: str = ""
    collection: bool = False  # the path names a collection: `…/models`, `…/versions`, `…/operations`

    @classmethod
    def of(cls, path: str) -> Address:
        """Parse a path such as `v1/projects/P/models/M/versions/V:predict`."""
        found = re.fullmatch(
            r"v1/projects/([^/]+)/(?:models(?:/([^/]+?)(?:/versions(?:/([^/]+?))?)?)?|operations(?:/([^/]+?))?)"
            r"(?::([a-zA-Z]+))?",
            path,
        )
        if found is None:
            raise ValueError(f"not a path of the API: {path}")
        project, model, version, operation, verb = (part or "" for part in found.groups())
        return cls(project, model, version, operation, verb, path.endswith(("/models", "/versions", "/operations")))


def deployment_calls(
    plan: Plan, target: Target, test: Mapping[str, Any] | None, *, wait: bool = True
) -> list[PlannedCall]:
    """Return all calls of a first run of this plan, in order."""
    planned: list[PlannedCall] = []
    if plan.bucket is not None:
        planned.append(MakeBucket(plan.bucket, (plan.model.regions or (target.default_region,))[0]))
    if plan.upload_to is not None and plan.model_dir is not None:
        destination = plan.upload_to
        planned += [
            Upload(file.path, destination.bucket, destination.prefix + file.name) for file in plan.model_dir.files
        ]
    for package in plan.packages:
        name = package.destination.prefix + package.name
        planned.append(Upload(package.path, package.destination.bucket, name))
    body = None if test is None else encode(test)
    updates = plan.post_ready_updates
    return [*planned, *target.deployment_requests(plan.model, plan.create_fields, updates, body, wait=wait)]

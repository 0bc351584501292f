"""What a command sends, as values: calls of the API, and what goes to Cloud Storage beside them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from aip_magics.client import Request, calls
from aip_magics.commands.common.options import ScriptFormat

if TYPE_CHECKING:
    from aip_magics.deploy import Plan
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class MakeBucket:
    """A bucket that is made if it is not there."""

    name: str
    location: str


@dataclasses.dataclass(frozen=True)
class Upload:
    """A local file and the object it becomes."""

    path: Path
    bucket: str
    object: str


@dataclasses.dataclass(frozen=True)
class Sync:
    """The files of a local directory become those below `gs://bucket/prefix`; `prefix` is empty or ends with a slash.

    `left_out` are names below `directory` that are not sent. `delete_extra`: what lies there and not here is removed.
    """

    directory: Path
    files: tuple[Upload, ...]
    left_out: tuple[str, ...]
    bucket: str
    prefix: str
    delete_extra: bool = False


@dataclasses.dataclass(frozen=True)
class Download:
    """Objects become files below a local directory. `names` are relative to `gs://bucket/prefix`.

    `all` of them lie there; else it is one object, named for itself.
    """

    bucket: str
    prefix: str
    names: tuple[str, ...]
    directory: Path
    all: bool = True


@dataclasses.dataclass(frozen=True)
class Wait:
    """Wait for an operation: that of the call before, where `operation` (a full name) is empty."""

    operation: str = ""


PlannedCall: TypeAlias = Request | MakeBucket | Upload | Sync | Download | Wait


@dataclasses.dataclass(frozen=True)
class Address:
    """The path of a request, taken apart; what it does not have is empty. `verb` is what follows the colon."""

    project: str
    model: str = ""
    version: str = ""
    operation: str = ""
    verb: str = ""
    collection: bool = False  # the path names a collection: `…/models`, `…/versions`, `…/operations`

    @classmethod
    def of(cls, path: str) -> Address:
        found = re.fullmatch(
            r"v1/projects/([^/]+)/(?:models(?:/([^/]+?)(?:/versions(?:/([^/]+?))?)?)?|operations(?:/([^/]+?))?)"
            r"(?::([a-zA-Z]+))?",
            path,
        )
        if found is None:
            raise ValueError(f"no call of the API: {path}")
        project, model, version, operation, verb = (part or "" for part in found.groups())
        return cls(project, model, version, operation, verb, path.endswith(("/models", "/versions", "/operations")))


def deployment_calls(
    plan: Plan, target: Target, test: Mapping[str, Any] | None, *, wait: bool = True
) -> list[PlannedCall]:
    """All that a first run of this plan sends, in its order."""
    found: list[PlannedCall] = []
    if plan.bucket is not None:
        found.append(MakeBucket(plan.bucket, (plan.model.regions or (target.default_region,))[0]))
    if plan.upload_to is not None and plan.model_dir is not None:
        place = plan.upload_to
        found += [Upload(file.path, place.bucket, place.prefix + file.name) for file in plan.model_dir.files]
    found += [Upload(one.path, one.destination.bucket, one.destination.prefix + one.name) for one in plan.packages]
    model = calls.model_name(target.project, plan.model.id)
    version = calls.version_name(target.project, plan.model.id, plan.version.id)
    found += [calls.create_model(target.project, plan.model), calls.create_version(model, plan.sent)]
    if not wait:
        return found
    found.append(Wait())
    if later := plan.sent_later:
        found += [calls.patch(version, later, list(later)), Wait()]
    found.append(calls.get(version))
    if test is not None:
        from aip_magics.prediction.instances import encode

        found.append(calls.predict(version, encode(test)))
    return found


def render_script(form: ScriptFormat, sent: Sequence[PlannedCall], target: Target) -> str:
    """Lines for a shell (gcloud, curl) or a Python program that send the same. The token is never in them."""
    from aip_magics.commands.show import curl, gcloud, python

    writers = {"gcloud": gcloud.lines, "curl": curl.lines, "python": python.lines}
    return "\n".join(writers[form](sent, target))

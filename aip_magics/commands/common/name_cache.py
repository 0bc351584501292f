"""Names that answers of the service brought along: models, versions, buckets. Completion has them from here.

A cache, in one file below the data directory: Tab never asks the network, and a name that is gone meanwhile harms
nobody. It holds no more than names.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.commands.common.command import Context
from aip_magics.errors import AipError
from aip_magics.spec import Model, Operation, Version

if TYPE_CHECKING:
    from aip_magics.settings import Settings

FILE = "names.json"  # below the data directory
MAX_NAMES = 1000  # models of a project, versions of a model, buckets


@dataclasses.dataclass(frozen=True)
class CachedNames:
    """What is known of one project at one endpoint: the versions by model, and the buckets (without `gs://`)."""

    models: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    buckets: list[str] = dataclasses.field(default_factory=list)

    def add(self, model: str, versions: list[str]) -> None:
        if len(self.models) < MAX_NAMES:
            known = self.models.setdefault(model, [])
            known += [version for version in versions if version not in known][: MAX_NAMES - len(known)]

    def add_bucket(self, uri: object) -> None:
        bucket = uri.removeprefix("gs://").partition("/")[0] if isinstance(uri, str) and uri.startswith("gs://") else ""
        if bucket and bucket not in self.buckets:
            self.buckets[:] = [bucket, *self.buckets][:MAX_NAMES]


def read(settings: Settings) -> CachedNames:
    """The names known at this place; none where the file is missing or damaged."""
    return _names(_read(settings.data_dir / FILE).get(_place(settings)))


def record_names(verb: str, args: argparse.Namespace, value: Any, context: Context) -> None:
    """Keep the names in what a command that worked was given and returned. It cannot fail: the command has worked."""
    if not hasattr(args, "target"):
        return  # it has not been at any service
    with contextlib.suppress(OSError, AipError):
        settings = context.settings(args)
        path = settings.data_dir / FILE
        data = _read(path)
        names = _names(data.get(_place(settings)))
        resources = list(value) if isinstance(value, (list, tuple)) else [value]
        _forget(names, verb, args, resources)
        for resource in resources:
            _learn(names, resource)
        for given in _given(args):
            names.add_bucket(given)
        learnt = {**data, _place(settings): dataclasses.asdict(names)}
        if learnt != _read(path):
            _write(path, learnt)


def _place(settings: Settings) -> str:
    where = settings.endpoint or settings.region
    return " ".join([settings.target.value, where.value if where else "global", settings.project.value])


def _forget(names: CachedNames, verb: str, args: argparse.Namespace, listed: list[Any]) -> None:
    """What was deleted, and what a list of all there is does not have."""
    model, version = getattr(args, "model", None), getattr(args, "version", None)
    there = {part for resource in listed for part in _parts(resource)}
    if verb == "delete" and model and not version:
        names.models.pop(model, None)
    elif verb == "delete" and model in names.models:
        names.models[model] = [known for known in names.models[model] if known != version]
    elif verb == "list" and model in names.models:
        names.models[model] = [known for known in names.models[model] if (model, known) in there]
    elif verb == "list" and not model and not getattr(args, "operations", False):
        for gone in names.models.keys() - {name for name, _ in there}:
            del names.models[gone]


def _learn(names: CachedNames, resource: object) -> None:
    if isinstance(resource, Operation):
        metadata = resource.metadata
        resource = metadata.version if metadata and metadata.operationType == "CREATE_VERSION" else None
    if isinstance(resource, Version):
        names.add_bucket(resource.deploymentUri)
    if isinstance(resource, Model) and resource.defaultVersion:
        _learn(names, resource.defaultVersion)
    for model, version in _parts(resource):
        names.add(model, [version] if version else [])


def _parts(resource: object) -> Iterator[tuple[str, str]]:
    """Model and version of `projects/P/models/M/versions/V`; of a model there is no version."""
    parts = str(getattr(resource, "name", None) or "").split("/")
    if isinstance(resource, (Model, Version)) and len(parts) in (4, 6) and parts[2] == "models":
        yield parts[3], parts[5] if len(parts) == 6 else ""


def _given(args: argparse.Namespace) -> Iterator[Any]:
    for value in vars(args).values():
        yield from value if isinstance(value, list) else [value]


def _names(data: Any) -> CachedNames:
    try:
        models = {str(model): [str(version) for version in versions] for model, versions in data["models"].items()}
        return CachedNames(models, [str(bucket) for bucket in data["buckets"]])
    except (TypeError, KeyError, AttributeError):
        return CachedNames()


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write(path: Path, data: dict[str, Any]) -> None:
    from aip_magics.targets.state import write_private

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(data, ensure_ascii=False))

"""Cache of resource names for Tab completion: models, versions and buckets from the results of commands.

One file below the data directory, so that Tab never waits for the network. A cached name may no longer exist, which is
harmless.
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
    """The cached names of one project at one endpoint: versions by model, and buckets without `gs://`."""

    models: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    buckets: list[str] = dataclasses.field(default_factory=list)

    def add(self, model: str, versions: list[str]) -> None:
        """Add a model and some of its versions, up to MAX_NAMES of each."""
        if len(self.models) < MAX_NAMES:
            known = self.models.setdefault(model, [])
            known += [version for version in versions if version not in known][: MAX_NAMES - len(known)]

    def add_bucket(self, uri: object) -> None:
        """Add the bucket of a gs:// URI as the first one; other values are ignored."""
        bucket = uri.removeprefix("gs://").partition("/")[0] if isinstance(uri, str) and uri.startswith("gs://") else ""
        if bucket and bucket not in self.buckets:
            self.buckets[:] = [bucket, *self.buckets][:MAX_NAMES]


def read(settings: Settings) -> CachedNames:
    """Read the names of this project and endpoint; no names if the file is missing or corrupted."""
    return _parse_names(_read(settings.data_dir / FILE).get(cache_key(settings)))


def record_names(verb: str, args: argparse.Namespace, value: Any, context: Context) -> None:
    """Cache the names in the options and the result of a successful command. Errors are ignored."""
    if not hasattr(args, "target"):
        return  # the command uses no service
    with contextlib.suppress(OSError, AipError):
        settings = context.settings(args)
        path = settings.data_dir / FILE
        data = _read(path)
        names = _parse_names(data.get(cache_key(settings)))
        resources = list(value) if isinstance(value, (list, tuple)) else [value]
        _forget(names, verb, args, resources)
        for resource in resources:
            _add_names(names, resource)
        for value_of_option in _option_values(args):
            names.add_bucket(value_of_option)
        updated = {**data, cache_key(settings): dataclasses.asdict(names)}
        if updated != _read(path):
            _write(path, updated)


def cache_key(settings: Settings) -> str:
    """Name the endpoint and project of these settings."""
    endpoint = settings.endpoint or settings.region
    return " ".join([settings.target.value, endpoint.value if endpoint else "global", settings.project.value])


def _forget(names: CachedNames, verb: str, args: argparse.Namespace, listed: list[Any]) -> None:
    """Remove deleted names, and names that a complete list does not have."""
    model, version = getattr(args, "model", None), getattr(args, "version", None)
    existing = {name for resource in listed for name in _split_name(resource)}
    if verb == "delete" and model and not version:
        names.models.pop(model, None)
    elif verb == "delete" and model in names.models:
        names.models[model] = [known for known in names.models[model] if known != version]
    elif verb == "list" and model in names.models:
        names.models[model] = [known for known in names.models[model] if (model, known) in existing]
    elif verb == "list" and not model and not getattr(args, "operations", False):
        for gone in names.models.keys() - {name for name, _ in existing}:
            del names.models[gone]


def _add_names(names: CachedNames, resource: object) -> None:
    if isinstance(resource, Operation):
        metadata = resource.metadata
        resource = metadata.version if metadata and metadata.operationType == "CREATE_VERSION" else None
    if isinstance(resource, Version):
        names.add_bucket(resource.deploymentUri)
    if isinstance(resource, Model) and resource.defaultVersion:
        _add_names(names, resource.defaultVersion)
    for model, version in _split_name(resource):
        names.add(model, [version] if version else [])


def _split_name(resource: object) -> Iterator[tuple[str, str]]:
    """Yield model and version of `projects/P/models/M/versions/V`; the version of a model is empty."""
    parts = str(getattr(resource, "name", None) or "").split("/")
    if isinstance(resource, (Model, Version)) and len(parts) in (4, 6) and parts[2] == "models":
        yield parts[3], parts[5] if len(parts) == 6 else ""


def _option_values(args: argparse.Namespace) -> Iterator[Any]:
    for value in vars(args).values():
        yield from value if isinstance(value, list) else [value]


def _parse_names(data: Any) -> CachedNames:
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

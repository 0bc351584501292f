"""The names of a model's inputs, by which the columns of a DataFrame are arranged: of a local model or a version.

A reader is only called for instances with column names. If the names are not known, the reader reports why.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.artifacts.facts import ModelInputs, Signature, Tensor
from aip_magics.commands.common.command import Context
from aip_magics.directory_cache import DirectoryCache, key_digest
from aip_magics.errors import AipError, NotFound
from aip_magics.events import Note, StepFinished, StepStarted
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.spec import Version
    from aip_magics.targets import Target

InputsReader = Callable[[], ModelInputs]
MAX_MODEL_BYTES = 64 << 20  # a larger download would take longer than the prediction
_MAX_CACHED_BYTES = 4 << 20  # a few hundred models: their names of inputs take a block or two each
_FILE = "inputs.json"
_STEP = "columns"


def deployment_inputs(origin: str, version: Version, args: argparse.Namespace, context: Context) -> InputsReader:
    """Return a reader of the model that is to be deployed from `origin`: a local path, or gs://."""

    def read() -> ModelInputs:
        if version.predictionClass or version.container:
            return ModelInputs()
        if not origin:
            return ModelInputs(unread=_("the model's directory is missing"))
        if not origin.startswith("gs://"):
            from aip_magics.prediction.local import local_inputs

            return local_inputs(Path(os.path.expanduser(origin)))
        target = context.target(args)
        return _no_request() if _is_preview(args) else _read_remote(target, origin)

    return lambda: _read_or_report(read, context)


def version_inputs(args: argparse.Namespace, context: Context) -> InputsReader:
    """Return a reader of the files of the version to predict with, `args.model` and `args.version`."""

    def read() -> ModelInputs:
        if _is_preview(args):
            return _no_request()
        target = context.target(args)
        target.connect()
        model = None if args.version else target.client.get_model(args.model)
        version = model.defaultVersion if model else target.client.get_version(args.model, args.version)
        if version is None or version.predictionClass or version.container or not version.deploymentUri:
            return ModelInputs()
        return _read_remote(target, version.deploymentUri, version.createTime)

    return lambda: _read_or_report(read, context)


def _read_or_report(read: InputsReader, context: Context) -> ModelInputs:
    try:
        inputs = read()
    except NotFound:
        raise  # there is no model or version to predict with
    except AipError as error:  # if it matters for more than the names, the next step raises it
        inputs = ModelInputs(unread=error.message)
    if inputs.unread:
        text = _("the columns of the DataFrame are sent in its own order: {reason}", reason=inputs.unread)
        context.reporter.emit(StepStarted(_STEP, _("Compare the columns with the model")))
        context.reporter.emit(Note(_STEP, text, "warning"))
        context.reporter.emit(StepFinished(_STEP, _("column names of the model are unknown")))
    return inputs


def _is_preview(args: argparse.Namespace) -> bool:
    return bool(getattr(args, "show", None) or getattr(args, "dry_run", False))


def _no_request() -> ModelInputs:
    return ModelInputs(unread=_("a preview sends no request to read the model"))


def _read_remote(target: Target, uri: str, created: str | None = None) -> ModelInputs:
    """Read the inputs of a model in Cloud Storage, from a copy of its model file that is deleted again.

    `created` is when the service copied the files of a version.
    """
    from aip_magics.artifacts import MODEL_FILES
    from aip_magics.artifacts.model_inputs import read_model_inputs
    from aip_magics.storage import GsUri, list_objects
    from aip_magics.storage.download.object_download import download_objects

    directory = GsUri.parse(uri)
    objects = list_objects(target.storage_client, directory)
    found = [objects[name] for name in MODEL_FILES if name in objects]
    if len(found) != 1:
        return ModelInputs(unread=_("{directory} does not have exactly one model file", directory=uri))
    remote = found[0]
    if created and _is_newer(remote.generation, created):
        return ModelInputs(unread=_("{file} was replaced after the version was created", file=remote.name))
    if remote.size > MAX_MODEL_BYTES:
        text = _("{file} is larger than {limit:.0f} MB", file=remote.name, limit=MAX_MODEL_BYTES / 1e6)
        return ModelInputs(unread=text)

    def build(entry: Path) -> None:
        copy = entry / remote.name
        full = dataclasses.replace(remote, name=directory.prefix + remote.name)
        download_objects(target.storage_client, [(directory.bucket, full, copy)])
        inputs = read_model_inputs(copy)
        copy.unlink()
        (entry / _FILE).write_text(json.dumps(dataclasses.asdict(inputs)), "utf-8")

    from aip_magics.data_directory import INPUTS  # which imports the settings: local-predict starts without them

    cache = DirectoryCache(target.settings.data_dir / INPUTS, max_bytes=_MAX_CACHED_BYTES)
    key = key_digest(
        [target.storage_client.endpoint, directory.bucket, directory.prefix + remote.name, remote.generation]
    )
    return _decode((cache.get_or_build(key, build) / _FILE).read_text("utf-8"))


def _is_newer(generation: int, created: str) -> bool:
    """Whether an object is newer than a time; generations are microseconds since 1970, `created` may be in seconds."""
    try:
        then = datetime.datetime.fromisoformat(created.partition(".")[0].removesuffix("Z") + "+00:00").timestamp()
    except ValueError:
        return False
    return generation / 1e6 >= then + 1


def _decode(text: str) -> ModelInputs:
    fields = json.loads(text)
    signatures = tuple(
        Signature(one["name"], _tensors(one["inputs"]), _tensors(one["outputs"]), one["method"])
        for one in fields["signatures"]
    )
    return ModelInputs(tuple(fields["features"]), signatures, fields["unread"])


def _tensors(items: list[dict[str, object]]) -> tuple[Tensor, ...]:
    def tensor(name: str, dtype: str, shape: list[int | None] | None) -> Tensor:
        return Tensor(name, dtype, None if shape is None else tuple(shape))

    return tuple(tensor(**item) for item in items)  # type: ignore[arg-type]

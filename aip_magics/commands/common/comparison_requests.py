"""The requests that a comparison sends to both versions: from instances, or from the request log of a version."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics import catalog
from aip_magics.commands.common.cell_body import reading_value
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.instances import from_value
from aip_magics.commands.common.magic_line import referenced_name
from aip_magics.commands.common.model_inputs import version_inputs
from aip_magics.deploy.comparison_run import ComparedRequest, divide
from aip_magics.errors import InstancesError, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import instances as formats
from aip_magics.prediction.frames import column_names

if TYPE_CHECKING:
    from aip_magics.targets import Target

FLAG = "--instances"


def requests_of_instances(
    args: argparse.Namespace, context: Context, target: Target, model: str
) -> list[ComparedRequest]:
    """Build the requests from `--instances`: a `$name`, a file, an object in Cloud Storage, or standard input.

    The columns of a DataFrame are arranged for each version as it expects them.
    """
    name = referenced_name(args.instances_from)
    if name is None:
        left = right = _read(args.instances_from, target)
    else:
        value, where = context.names[name], f"{FLAG} ${name}"

        def request(version: str) -> dict[str, Any]:
            own = argparse.Namespace(**{**vars(args), "model": model, "version": version})
            return from_value(value, where, version_inputs(own, context), args.signature_name)

        with reading_value(f"${name}", FLAG):
            given = value.get("instances") if isinstance(value, Mapping) else value
            left = request(args.version)
            right = request(args.other) if column_names(given) else left
    if args.signature_name:
        left, right = ({**body, "signature_name": args.signature_name} for body in (left, right))
    return divide(left, right, args.batch_size, catalog.limits().predict_body_bytes)


def requests_of_log(lines: Sequence[str]) -> tuple[list[ComparedRequest], int]:
    """Build the requests from lines of a request log, and count the requests that cannot be repeated."""
    requests, skipped = list[ComparedRequest](), 0
    for line in lines:
        try:
            text = json.loads(line).get("raw_data")
            if text is None:  # a note of the log about itself
                continue
            instances = json.loads(text)["instances"]
            if not isinstance(instances, list) or not instances:
                raise ValueError(line)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            skipped += 1
            continue
        body = text.encode()
        requests.append(ComparedRequest(instances, body, body))
    return requests, skipped


def no_logged_requests(model: str, version: str) -> OptionError:
    """Build the error for a version without requests in its log."""
    table = "--bigquery-table-name PROJECT.DATASET.TABLE --sampling-percentage 1"
    return OptionError(
        _("no request of version {version} has been logged", version=version),
        where="--from-log",
        fix=_("run {line} to log the requests from now on", line=f"%aip_update {version} --model {model} {table}"),
    )


def _read(name: str, target: Target) -> dict[str, Any]:
    """Read a file: one JSON value per line, a list of instances, or an object that has `instances`."""
    where = f"{FLAG} {name}"
    if name.startswith("gs://"):
        from aip_magics.data_directory import DOWNLOADS
        from aip_magics.directory_cache import DirectoryCache
        from aip_magics.storage import cached_file

        cache = DirectoryCache(target.settings.data_dir / DOWNLOADS)
        data = cached_file(target.storage_client, name, cache).read_bytes()
        return parse_instances(data, where)
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(os.path.expanduser(name)).read_bytes()
    except OSError as error:
        raise InstancesError(
            _("could not read the file: {reason}", reason=error.strerror or error), where=where
        ) from None
    return parse_instances(data, where)


def parse_instances(data: bytes, where: str) -> dict[str, Any]:
    """Parse the content of a file of instances into the body of a request.

    A single line `[1, 2]` is one instance; a list whose items are all lists or objects is a list of instances.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # a value per line; otherwise the error names the line
        document = None
    if isinstance(document, dict) and "instances" in document:
        return formats.parse_json_request(data, where)
    if isinstance(document, list) and document and all(isinstance(item, (list, dict)) for item in document):
        return from_value(document, where)
    return {"instances": formats.parse_json_instances(data, where)}

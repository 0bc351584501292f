"""Read the instances of a prediction from a file or the body of a cell, and encode the request as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.commands.common.cell_body import VARIABLE, NestedTooDeeply, read_yaml, reading_value, substitute
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.model_inputs import InputsReader
from aip_magics.errors import InstancesError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import instances as formats
from aip_magics.prediction.frames import column_names


def add_instances(parser: argparse.ArgumentParser) -> None:
    """Add gcloud's three options for instances, and `--signature-name`."""
    group = parser.add_argument_group(_("instances (or in the cell: a list, or {instances: […]})"))
    sources = group.add_mutually_exclusive_group()
    sources.add_argument(
        "--json-instances", metavar="FILE", help=_("file with one JSON value per line; - for standard input")
    )
    sources.add_argument("--text-instances", metavar="FILE", help=_("file with one string per line"))
    sources.add_argument("--json-request", metavar="FILE", help=_("file with a JSON object that has instances"))
    group.add_argument("--signature-name", metavar="NAME", help=_("signature of a TensorFlow model"))


def request(
    args: argparse.Namespace, body: str | None, context: Context, read_inputs: InputsReader | None = None
) -> bytes:
    """Build the prediction request, `{"instances": […], …}`, as JSON.

    InstancesError if there are no instances, or two sources of them. `read_inputs` is called for a DataFrame with
    column names, to arrange its columns as the model expects them.
    """
    options = {
        "--json-instances": args.json_instances,
        "--text-instances": args.text_instances,
        "--json-request": args.json_request,
    }
    files = {flag: name for flag, name in options.items() if name}
    if body and body.strip():
        if files:
            raise InstancesError(
                _("instances are given both by {flag} and in the cell", flag=next(iter(files))),
                where="instances",
                fix=_("use only one of the two"),
            )
        value = substitute(_read(body), context.names)
        with reading_value(body.strip() if VARIABLE.fullmatch(body.strip()) else _("a value in the cell"), "cell"):
            body_fields = from_value(value, "cell", read_inputs, args.signature_name)
    elif files:
        body_fields = _from_file(*next(iter(files.items())))
    else:
        raise InstancesError(
            _("no instances were given"),
            where="instances",
            fix=_("write a list into the cell (%%), or add --json-instances FILE"),
        )
    if args.signature_name:
        body_fields["signature_name"] = args.signature_name
    return formats.encode(body_fields)


def _read(body: str) -> Any:
    try:
        return read_yaml(body)
    except NestedTooDeeply as error:
        raise InstancesError(error.message, where=error.where, fix=error.fix) from None


def from_value(
    value: Any, where: str, read_inputs: InputsReader | None = None, signature_name: str | None = None
) -> dict[str, Any]:
    """Turn instances (list, array, DataFrame) or a mapping with `instances` into a request of plain JSON values.

    The columns of a DataFrame are arranged by the names that `read_inputs` returns; `signature_name` overrides that of
    the mapping.
    """
    if not isinstance(value, Mapping):
        value = {"instances": value}
    if "instances" not in value:
        from aip_magics.spec import nearest

        fix = nearest("instances", list(value)) and _("rename the key to instances")
        raise InstancesError(_("`instances` is required"), where=where, fix=fix or "instances: [[5.1, 3.5, 1.4, 0.2]]")
    given = value["instances"]
    inputs = read_inputs() if read_inputs and column_names(given) else None
    try:
        instances = formats.from_value(given, inputs, signature_name or value.get("signature_name"))
        encoded = formats.encode({**value, "instances": instances}, given)
    except InstancesError as error:
        error.where = f"{where}: {error.where or 'instances'}"
        raise
    request: dict[str, Any] = json.loads(encoded)
    return request


def _from_file(flag: str, name: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(os.path.expanduser(name)).read_bytes()
    except OSError as error:
        raise InstancesError(
            _("could not read the file: {reason}", reason=error.strerror or error), where=f"{flag} {name}"
        ) from None
    where = f"{flag} {name}"
    if flag == "--json-request":
        return formats.parse_json_request(data, where)
    parse = formats.parse_json_instances if flag == "--json-instances" else formats.parse_text_instances
    return {"instances": parse(data, where)}

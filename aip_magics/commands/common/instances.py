"""The instances of a prediction, from a file option or the body of a cell, as the request's JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.commands.common.cell_body import VARIABLE, NestedTooDeeply, answering, read_yaml, substitute
from aip_magics.commands.common.command import Context
from aip_magics.errors import InstancesError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import instances as forms


def add_instances(parser: argparse.ArgumentParser) -> None:
    """gcloud's three ways to give instances, and the signature."""
    group = parser.add_argument_group(_("instances (or write them into the cell: a list, or {instances: […]})"))
    ways = group.add_mutually_exclusive_group()
    ways.add_argument("--json-instances", metavar="FILE", help=_("one JSON value per line; - is stdin"))
    ways.add_argument("--text-instances", metavar="FILE", help=_("one text per line"))
    ways.add_argument("--json-request", metavar="FILE", help=_("a JSON object with instances"))
    group.add_argument("--signature-name", metavar="NAME", help=_("TensorFlow: which signature"))


def request(args: argparse.Namespace, body: str | None, context: Context) -> bytes:
    """The prediction request, `{"instances": […], …}`, as bytes of JSON.

    InstancesError where there are no instances, or two sources of them.
    """
    given = {
        "--json-instances": args.json_instances,
        "--text-instances": args.text_instances,
        "--json-request": args.json_request,
    }
    files = {flag: name for flag, name in given.items() if name}
    if body and body.strip():
        if files:
            raise InstancesError(
                _("instances come from {flag} and from the cell", flag=next(iter(files))),
                where="instances",
                fix=_("give one of them"),
            )
        value = substitute(_read(body), context.names)
        with answering(body.strip() if VARIABLE.fullmatch(body.strip()) else _("a value in the cell"), "cell"):
            found = from_value(value, "cell")
    elif files:
        found = _from_file(*next(iter(files.items())))
    else:
        raise InstancesError(
            _("there are no instances"),
            where="instances",
            fix=_("write a list into the cell (%%), or add --json-instances FILE"),
        )
    if args.signature_name:
        found["signature_name"] = args.signature_name
    return forms.encode(found)


def _read(body: str) -> Any:
    try:
        return read_yaml(body)
    except NestedTooDeeply as error:
        raise InstancesError(error.message, where=error.where, fix=error.fix) from None


def from_value(value: Any, where: str) -> dict[str, Any]:
    """A request, as plain JSON, from instances (list, array, DataFrame) or from an object that has them."""
    if not isinstance(value, Mapping):
        value = {"instances": value}
    if "instances" not in value:
        from aip_magics.spec import nearest

        fix = nearest("instances", list(value)) and _("rename it to instances")
        raise InstancesError(_("`instances` is missing"), where=where, fix=fix or "instances: [[5.1, 3.5, 1.4, 0.2]]")
    try:
        encoded = forms.encode({**value, "instances": forms.from_value(value["instances"])})
    except InstancesError as error:
        error.where = f"{where}: {error.where or 'instances'}"
        raise
    request: dict[str, Any] = json.loads(encoded)
    return request


def _from_file(flag: str, name: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise InstancesError(
            _("the file cannot be read ({reason})", reason=error.strerror or error), where=f"{flag} {name}"
        ) from None
    where = f"{flag} {name}"
    if flag == "--json-request":
        return forms.parse_json_request(data, where)
    parse = forms.parse_json_instances if flag == "--json-instances" else forms.parse_text_instances
    return {"instances": parse(data, where)}

"""`logs`: show the access, request and node logs of a version on the embedded server."""

from __future__ import annotations

import argparse
from typing import Any

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Capability, Target


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("default: the model's default version"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model of the version"))
    parser.add_argument(
        "--lines", type=int, default=50, metavar="N", help=_("show the last N lines of each kind (default: 50)")
    )
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> str:
    """Return the last lines as text: output of the nodes, requests, and bodies if they are logged."""
    if args.lines < 1:
        raise OptionError(_("expected at least 1 line"), where="--lines", fix="--lines 50")
    target = require_embedded(context.target(args), _("logs"))
    version = args.version or _get_default_version(target, args.model)
    logs = target.client.version_logs(args.model, version, args.lines)
    titles = {
        "nodes": _("output of the nodes"),
        "access": _("requests"),
        "requests": _("bodies (requestLoggingConfig)"),
    }
    lines = [line for kind, title in titles.items() for line in _section(title, logs.get(kind) or [])]
    text = "\n".join(lines) or _("nothing has been logged yet")
    context.reporter.show(text)
    return text


def require_embedded(target: Target, what: str) -> Target:
    """Connect the target and return it. OptionError if it is not the embedded server, which alone has `what`."""
    if target.runs_here:
        fix = _("deploy the version with --target local, and run the command with it")
        target.require(Capability.VERSION_LOGS, where="--target", fix=fix)
    if not target.has(Capability.VERSION_LOGS):
        fix = _("use --target local; for the cloud, see Cloud Logging and Cloud Monitoring")
        raise OptionError(_("only the embedded server has {what}", what=what), where="--target", fix=fix)
    target.connect()
    return target


def _get_default_version(target: Target, model: str) -> str:
    default = target.client.get_model(model).defaultVersion
    if default is None:
        raise OptionError(
            _("model {model} has no default version", model=model),
            where="VERSION",
            fix=f"%aip_list --model {model}",
        )
    return default.id


def _section(title: str, lines: list[Any]) -> list[str]:
    return [f"── {title}", *map(str, lines)] if lines else []


COMMAND = Command("logs", add_options, run, example="%aip_logs v1 --model iris --lines 20")

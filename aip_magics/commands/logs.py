"""`logs`: what was asked of a version, and what its model's code printed. The embedded server keeps it."""

from __future__ import annotations

import argparse
from typing import Any

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Target


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("left out: the model's default version"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model of the version"))
    parser.add_argument("--lines", type=int, default=50, metavar="N", help=_("the last N lines of each kind (50)"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> str:
    """The last lines, as text: what the nodes printed, who asked what, and bodies where they are logged."""
    if args.lines < 1:
        raise OptionError(_("at least one line is wanted"), where="--lines", fix="--lines 50")
    target = embedded(context.target(args), _("logs"))
    version = args.version or _default(target, args.model)
    found = target.client.version_logs(args.model, version, args.lines)
    titles = {
        "nodes": _("printed by the nodes"),
        "access": _("requests"),
        "requests": _("bodies (requestLoggingConfig)"),
    }
    shown = [line for kind, title in titles.items() for line in _section(title, found.get(kind) or [])]
    text = "\n".join(shown) or _("nothing was logged yet")
    context.face.show(text)
    return text


def embedded(target: Target, what: str) -> Target:
    """The target, connected. OptionError where it is none of ours: only the embedded server keeps this."""
    if target.kind != "local":
        fix = _("--target local; the cloud's are in Cloud Logging and Cloud Monitoring")
        raise OptionError(_("only the embedded server has {what}", what=what), where="--target", fix=fix)
    target.connect()
    return target


def _default(target: Target, model: str) -> str:
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

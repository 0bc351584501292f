"""`check`: what is known to fail, before anything is sent; with test instances, how the model does with them here."""

from __future__ import annotations

import argparse

from aip_magics.checks import Report
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.deploy import add_deployment, deployment_of
from aip_magics.commands.show import local_equivalents
from aip_magics.deploy.preflight import check_with_trial
from aip_magics.i18n import gettext as _


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "place", nargs="?", metavar="DIR", help=_("directory of the model; with --origin: name of the version")
    )
    add_deployment(parser)
    parser.set_defaults(replace=False)
    options.add_show(parser)
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, body: str | None, context: Context) -> Report | str:
    """Check a deployment; returns the Report. Findings are no exception here: they are what was asked for.

    With `--show` the text of a program that does the same.
    """
    # The line of a deploy cell, with the verb changed, means what it meant there: VERSION --origin DIR.
    args.version = args.place if args.origin else None
    args.origin = args.origin or args.place
    deployment = deployment_of(args, body, context)
    if args.show:
        why = _("it is this package that checks")
        text = local_equivalents.program(
            args.show, {"python": local_equivalents.python_check(deployment, context.settings(args))}, why
        )
        context.face.show(text)
        return text
    report = check_with_trial(deployment, context.target(args))
    context.face.show(report)
    return report


COMMAND = Command(
    name="check",
    add_options=add_options,
    run=run,
    failed=lambda report: isinstance(report, Report) and bool(report.errors),
    example="""%%aip_check ./export
test:
  instances:
  - [5.1, 3.5, 1.4, 0.2]""",
)

"""`check`: run the preflight checks of a deployment and, with test instances, a local trial of the model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aip_magics.checks import Report
from aip_magics.commands.common import container_probe, options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.deploy import add_deployment, build_deployment
from aip_magics.commands.show import local_equivalents
from aip_magics.deploy.preflight import check_with_trial
from aip_magics.errors import OptionError
from aip_magics.events import Note
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.serving.probe import ProbeResult


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", metavar="DIR", help=_("directory of the model; with --origin: name of the version")
    )
    add_deployment(parser)
    parser.set_defaults(replace=False, force_trial=True)
    parser.add_argument(
        "--container",
        metavar="DIR",
        help=_("run the server of a directory of %%aip_package --container, and probe it as Vertex AI would"),
    )
    options.add_show(parser)
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, body: str | None, context: Context) -> Report | ProbeResult | str:
    """Check a deployment and return the Report. Findings are not raised, because they are the result.

    The trial always runs: whoever types `check` wants to see it. With `--show` return the text of a program that does
    the same. With `--container` return the ProbeResult of that container with this model.
    """
    # A deploy line with only the verb changed keeps its meaning: VERSION --origin DIR.
    args.version = args.source if args.origin else None
    args.origin = args.origin or args.source
    deployment = build_deployment(args, body, context, complete=not args.container)
    if args.container and args.show:
        raise OptionError(
            _("the option has no effect with --container"), where="--show", fix=_("omit {option}", option="--show")
        )
    if args.container:
        result = container_probe.run_probe(args, deployment, context)
        context.reporter.show(result)
        return result
    if args.show:
        why_missing = _("the checks are part of this package")
        text = local_equivalents.choose_script(
            args.show, {"python": local_equivalents.python_check(deployment, context.settings(args))}, why_missing
        )
        context.reporter.show(text)
        return text
    report = check_with_trial(
        deployment,
        context.target(args),
        on_line=lambda line: context.reporter.emit(Note("environment", line)),
    )
    context.reporter.show(report)
    return report


COMMAND = Command(
    name="check",
    add_options=add_options,
    run=run,
    failed=lambda result: bool(result.errors) if isinstance(result, Report) else not getattr(result, "passed", True),
    example="""%%aip_check ./export
test:
  instances:
  - [5.1, 3.5, 1.4, 0.2]""",
)

"""`undeploy`: end the nodes of a version, and what they cost; the version stays."""

from __future__ import annotations

import argparse

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.spec import Version
from aip_magics.targets import Capability


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("the version whose nodes end"))
    parser.add_argument("--model", metavar="NAME", help=_("the model of the version"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Version | show.DryRun | str:
    """End the nodes of a version, wait until this is done, and return the Version.

    Deploying the same model again, as the same version, starts them again without an upload. Only Vertex AI has
    versions without nodes; on AI Platform `%aip_delete` ends them.
    """
    if not args.model and not is_full(args.version):
        raise OptionError(_("a model name is required"), where="--model", fix="%aip_undeploy v1 --model iris")
    target = context.target(args)
    model, name = args.model or "", target.version_name(args.model or "", args.version)
    target.require(Capability.UNDEPLOY, where="undeploy", fix=_("delete the version: %aip_delete"))
    shown = show.preview(args, context, target, lambda: target.plans.undeploy(model, args.version))
    if shown is not None:
        return shown
    target.connect()
    client = target.client
    context.reporter.emit(StepStarted("undeploy", _("Undeploy {name}", name=name)))
    client.wait(client.undeploy(model, args.version))
    context.reporter.emit(StepFinished("undeploy", _("undeployed {name}", name=name)))
    found = client.get_version(model, args.version)
    context.reporter.show(found)
    return found


COMMAND = Command("undeploy", add_options, run, example="%aip_undeploy v1 --model iris", changes=True)

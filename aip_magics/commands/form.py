"""`form`: open a form in the notebook, like the pages of the console, prefilled from the model and the line."""

from __future__ import annotations

import argparse
import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from aip_magics.commands import deploy
from aip_magics.commands.common.command import Command, Context
from aip_magics.deploy import Deployment
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.settings import Settings


@dataclasses.dataclass(frozen=True)
class FormRequest:
    """The initial values of a form. `deployment.origin` is empty if the line names no directory.

    `args` are the options of `deploy`; they have the options of the run, which are not part of a deployment.
    """

    deployment: Deployment
    settings: Settings
    args: argparse.Namespace
    context: Context

    def resolve(self, chosen: Mapping[str, str]) -> Settings:
        """Resolve the settings with a target, project or endpoint that was chosen in the form.

        With another target, region and endpoint of the line do not apply: they are those of its own target.
        """
        args = copy.copy(self.args)
        if chosen.get("target", self.settings.target.value) != self.settings.target.value:
            args.region = args.regions = args.endpoint = args.storage_endpoint = None
        for name, value in chosen.items():
            setattr(args, name, value)
        return self.context.settings(args)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", metavar="DIR", help=_("directory of the model (same as --origin)"))
    deploy.add_options(parser)


def run(args: argparse.Namespace, body: str | None, context: Context) -> Any:
    """Show the form and return it. OptionError outside of a notebook."""
    if context.open_form is None:
        fix = _("use aip-magics deploy, which takes the same options")
        raise OptionError(_("a form needs a notebook"), where="form", fix=fix)
    return context.open_form(build_form_request(args, body, context))


def build_form_request(args: argparse.Namespace, body: str | None, context: Context) -> FormRequest:
    """Read the line and the cell as `deploy` does."""
    args.origin = args.origin or args.model_dir
    # A deploy requires a directory; the user may still enter it in the form.
    deployment = deploy.build_deployment(args, body, context, complete=False)
    return FormRequest(deployment, context.settings(args), args, context)


COMMAND = Command("form", add_options, run, example="%aip_form --model-dir ./export")

"""`form`: the pages of the console as a form in the notebook, prefilled from the model and the line."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Protocol, runtime_checkable

from aip_magics.commands import deploy
from aip_magics.commands.common.command import Command, Context
from aip_magics.deploy import Deployment
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.settings import Settings


@dataclasses.dataclass(frozen=True)
class FormRequest:
    """What a form begins with. `deployment.origin` is empty where no directory was named yet.

    `args` are those of `deploy`, for the options of the run that are no part of a deployment.
    """

    deployment: Deployment
    settings: Settings
    args: argparse.Namespace
    context: Context


@runtime_checkable
class FormReporter(Protocol):
    """A face that can show a form: a notebook with a kernel."""

    def open_form(self, asked: FormRequest) -> Any:
        """Show the form; returns it at once, whatever the user does with it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", metavar="DIR", help=_("directory of the model: the same as --origin"))
    deploy.add_options(parser)


def run(args: argparse.Namespace, body: str | None, context: Context) -> Any:
    """Show the form and return it. OptionError where there is no notebook to show it in."""
    face = context.face
    if not isinstance(face, FormReporter):
        fix = _("aip-magics deploy takes the same options")
        raise OptionError(_("a form needs a notebook"), where="form", fix=fix)
    return face.open_form(request(args, body, context))


def request(args: argparse.Namespace, body: str | None, context: Context) -> FormRequest:
    """What the line and the body ask for, as `deploy` reads them."""
    args.origin = args.origin or args.model_dir
    # A deploy wants a directory; a form may begin without one.
    deployment = deploy.deployment_of(args, body, context, complete=False)
    return FormRequest(deployment, context.settings(args), args, context)


COMMAND = Command("form", add_options, run, example="%aip_form --model-dir ./export")

"""`config`: the settings that commands run with, where each comes from, and defaults for this notebook."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError, SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import SESSION, Settings, Sourced, default_bucket
from aip_magics.spec import nearest

NAMES = ("target", "project", "region", "endpoint", "storage_endpoint", "bucket")

_WITHOUT_NOTEBOOK = "gcloud config set project PROJECT_ID; export AIP_MAGICS_TARGET=local"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Setting → its value and source; `problem` says what is missing for a command to run, `change` how to set one."""

    settings: dict[str, Sourced[str]]
    problem: str = ""
    change: str = "%aip_config --project PROJECT_ID"

    def to_json(self) -> dict[str, Any]:
        found = {name: dataclasses.asdict(setting) for name, setting in self.settings.items()}
        return {**found, **({"problem": self.problem} if self.problem else {})}


def add_options(parser: argparse.ArgumentParser) -> None:
    options.add_target(parser)
    parser.add_argument("--bucket", metavar="gs://BUCKET", help=_("where models are uploaded to"))
    parser.add_argument(
        "--unset", type=options.split_commas, default=[], metavar="NAME,…", help=_("set by this notebook no more")
    )
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Configuration:
    """Set defaults for this notebook, where some are given; returns all settings, each with its source."""
    changes = _changes(args)
    configure = context.configure
    if changes:
        if configure is None:
            raise OptionError(
                _("only a notebook has a configuration of its own"),
                where="config",
                fix=_WITHOUT_NOTEBOOK,
            )
        # What would not be taken is refused before it is kept.
        session = {name: value for name, value in {**context.session, **changes}.items() if value}
        # The last run is forgotten: what is configured after it wins.
        context = dataclasses.replace(context, session=session, last_run={})
        # What is only taken away, and a target whose project may follow, leave something to be settled yet.
        _settle(context, strict=any(changes.values()) and "target" not in changes)
        configure(changes)
    found = _settle(context, strict=False)
    if configure is None:
        found = dataclasses.replace(found, change=_WITHOUT_NOTEBOOK)
    context.face.show(found)
    return found


def _changes(args: argparse.Namespace) -> dict[str, str | None]:
    for name in args.unset:
        if name.replace("-", "_") not in NAMES:
            fix = nearest(name, list(NAMES)) or _("one of {names}", names=", ".join(NAMES))
            raise OptionError(_("there is no setting {name!r}", name=name), where="--unset", fix=fix)
    unset: dict[str, str | None] = {name.replace("-", "_"): None for name in args.unset}
    return {**unset, **{name: value for name in NAMES if (value := getattr(args, name))}}


def _settle(context: Context, *, strict: bool) -> Configuration:
    line = argparse.Namespace(target=None, project=None, region=None, endpoint=None, storage_endpoint=None)
    try:
        settings = context.settings(line)
    except SettingsError as error:
        if strict:
            raise
        told = "; ".join(part for part in (error.message, error.fix) if part)
        return Configuration({name: Sourced(value, SESSION) for name, value in context.session.items()}, told)
    return Configuration(_all(settings))


def _all(settings: Settings) -> dict[str, Sourced[str]]:
    local = settings.target.value == "local"
    defaults = {
        "region": Sourced("global", _("default: the global endpoint")),
        "bucket": Sourced(default_bucket(settings.project.value), "PROJECT_ID-aiplatform"),
    }
    found: dict[str, Sourced[str]] = {}
    for name in NAMES:
        setting = getattr(settings, name) or defaults.get(name)
        if setting is not None:
            found[name] = setting
    server = _("the embedded server") if local else _("Google's")
    return {**{name: Sourced("-", server) for name in ("endpoint", "storage_endpoint")}, **found}


COMMAND = Command("config", add_options, run, example="%aip_config --project my-project --region us-central1")

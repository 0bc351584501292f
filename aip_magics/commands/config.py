"""`config`: show the settings with their sources, and set defaults for this notebook."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, ClassVar

from aip_magics import settings, target_types
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError, SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import SESSION, Settings, Sourced, default_bucket
from aip_magics.spec import nearest
from aip_magics.targets import check_region, load

NAMES = ("target", "project", "region", "endpoint", "storage_endpoint", "bucket")

_WITHOUT_NOTEBOOK = "gcloud config set project PROJECT_ID; export AIP_MAGICS_TARGET=local"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The settings with their sources. `problem` says what a command would miss, `change` how to change a setting."""

    panel_kind: ClassVar[str] = "configuration"
    settings: dict[str, Sourced[str]]
    problem: str = ""
    change: str = "%aip_config --project PROJECT_ID"

    def to_json(self) -> dict[str, Any]:
        values = {name: dataclasses.asdict(setting) for name, setting in self.settings.items()}
        return {**values, **({"problem": self.problem} if self.problem else {})}


def add_options(parser: argparse.ArgumentParser) -> None:
    options.add_target(parser)
    parser.add_argument("--bucket", metavar="gs://BUCKET", help=_("bucket that models are uploaded to"))
    parser.add_argument(
        "--unset",
        type=options.split_commas,
        default=[],
        metavar="NAME,…",
        help=_("remove these settings from this notebook"),
    )
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Configuration:
    """Set the given defaults for this notebook; return all settings, each with its source."""
    changes = _get_changes(args)
    set_config = context.set_config
    if changes:
        if set_config is None:
            raise OptionError(
                _("a configuration can only be set in a notebook"),
                where="config",
                fix=_WITHOUT_NOTEBOOK,
            )
        # Validate the changes before they are stored.
        session = {name: value for name, value in {**context.session, **changes}.items() if value}
        # The new configuration takes precedence over the options of the last run.
        context = dataclasses.replace(context, session=session, last_run={})
        if args.region:
            check_region(_target_name(context), args.region, "--region")
        # Removed settings, or a new target whose project may be set next, may leave the configuration incomplete.
        _resolve(context, strict=any(changes.values()) and "target" not in changes)
        set_config(changes)
    configuration = _resolve(context, strict=False)
    if set_config is None:
        configuration = dataclasses.replace(configuration, change=_WITHOUT_NOTEBOOK)
    context.reporter.show(configuration)
    return configuration


def _target_name(context: Context) -> str:
    """The target of these settings, whose project may be missing."""
    found = settings.resolve(project="any-project", session=context.session, environment=context.environment)
    return found.target.value


def _get_changes(args: argparse.Namespace) -> dict[str, str | None]:
    for name in args.unset:
        if name.replace("-", "_") not in NAMES:
            fix = nearest(name, list(NAMES)) or _("use one of {names}", names=", ".join(NAMES))
            raise OptionError(_("unknown setting {name!r}", name=name), where="--unset", fix=fix)
    unset: dict[str, str | None] = {name.replace("-", "_"): None for name in args.unset}
    return {**unset, **{name: value for name in NAMES if (value := getattr(args, name))}}


def _resolve(context: Context, *, strict: bool) -> Configuration:
    """Resolve the settings without options; a SettingsError becomes the `problem`, or is raised if `strict`."""
    no_options = argparse.Namespace(target=None, project=None, region=None, endpoint=None, storage_endpoint=None)
    try:
        found = context.settings(no_options)
    except (OptionError, SettingsError) as error:  # OptionError: the region is none of the target's
        if strict:
            raise
        problem = "; ".join(part for part in (error.message, error.fix) if part)
        return Configuration({name: Sourced(value, SESSION) for name, value in context.session.items()}, problem)
    return Configuration(_with_defaults(found))


def _with_defaults(found: Settings) -> dict[str, Sourced[str]]:
    """Return all settings; those that are not set have their default."""
    local = found.has_local_endpoint or not target_types.get(found.target.value).endpoint_property
    defaults = {"bucket": default_bucket(found)}
    if "global" in load(found.target.value).regions():
        defaults["region"] = Sourced("global", _("default: the global endpoint"))
    sourced: dict[str, Sourced[str]] = {}
    for name in NAMES:
        setting = getattr(found, name) or defaults.get(name)
        if setting is not None:
            sourced[name] = setting
    server = _("the embedded server") if local else _("Google's default")
    return {**{name: Sourced("-", server) for name in ("endpoint", "storage_endpoint")}, **sourced}


COMMAND = Command("config", add_options, run, example="%aip_config --project my-project --region us-central1")

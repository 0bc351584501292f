"""Settings of a command (project, region, target, data directory), each with its source.

Precedence: argument ▸ last run ▸ configuration of this session (`%aip_config`, `%config`) ▸ gcloud's configuration ▸
environment. The last run is the last command of the same notebook that had the setting as an argument. Environment
variables of gcloud count as gcloud's configuration, as in gcloud itself.
"""

from __future__ import annotations

import configparser
import dataclasses
import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from aip_magics import target_types
from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import PROJECT
from aip_magics.target_types import TargetType

T = TypeVar("T")

# The data directory of a user without a home directory: nothing can be in it or be created in it, so that only the
# commands that need a data directory fail.
NO_HOME = Path(os.devnull) / "aip_magics"
LOCAL_ENDPOINT = "local"  # as `--endpoint`: the embedded server, for a target that it takes the place of
LAST_RUN = "last run"
SESSION = "configuration of this session"


@dataclasses.dataclass(frozen=True)
class Sourced(Generic[T]):
    """A value and its source."""

    value: T
    source: str

    @property
    def label(self) -> str:
        """The source in the language of the user; three sources are constants that code compares."""
        labels = {"argument": _("argument"), LAST_RUN: _("last run"), SESSION: _("configuration of this session")}
        return labels.get(self.source, self.source)


@dataclasses.dataclass(frozen=True)
class Environment:
    """Environment variables and gcloud's active configuration, read once."""

    variables: Mapping[str, str]
    gcloud: Mapping[str, str]  # "core/project" → value

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Read the environment of the process and gcloud's active configuration (without running gcloud)."""
        variables = dict(os.environ if variables is None else variables)
        return cls(variables, _gcloud_properties(variables))

    def find(self, session: Mapping[str, str], name: str, gcloud: str, *variables: str) -> Sourced[str] | None:
        """Find the first source with a value for the setting `name`."""
        if session.get(name):
            return Sourced(session[name], SESSION)
        section, _sep, key = gcloud.partition("/")
        variable = f"CLOUDSDK_{section}_{key}".upper()
        if self.variables.get(variable):
            return Sourced(self.variables[variable], _("environment variable {name}", name=variable))
        if self.gcloud.get(gcloud):
            return Sourced(self.gcloud[gcloud], _("gcloud's configuration ({name})", name=gcloud))
        for variable in variables:
            if self.variables.get(variable):
                return Sourced(self.variables[variable], _("environment variable {name}", name=variable))
        return None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a command, each with its source."""

    target: Sourced[str]
    project: Sourced[str]
    region: Sourced[str] | None  # of a regional endpoint; None for the global endpoint
    endpoint: Sourced[str] | None  # a base URL that replaces Google's
    storage_endpoint: Sourced[str] | None
    data_dir: Path  # of the embedded server
    bucket: Sourced[str] | None = None  # bucket for uploads; None: named after the project

    @property
    def has_local_endpoint(self) -> bool:
        """Whether `--endpoint local` replaces the target's endpoint by the embedded server."""
        return self.endpoint is not None and self.endpoint.value == LOCAL_ENDPOINT


def resolve(
    *,
    target: str | None = None,
    project: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    storage_endpoint: str | None = None,
    session: Mapping[str, str] | None = None,
    last_run: Mapping[str, str] | None = None,
    environment: Environment | None = None,
) -> Settings:
    """Resolve all settings; arguments win.

    Raises:
        SettingsError: A setting is missing or malformed.
    """
    env = environment or Environment.read()
    session = session or {}
    # All settings of the last run belong to one target: with another target none of them applies.
    last_run = {} if target and last_run and last_run.get("target") != target else last_run

    def pick(value: str | None, name: str, gcloud: str, *variables: str) -> Sourced[str] | None:
        if value:
            return Sourced(value, "argument")
        if last_run and last_run.get(name):
            return Sourced(last_run[name], LAST_RUN)
        return env.find(session, name, gcloud, *variables)

    chosen = pick(target, "target", "aip_magics/target", "AIP_MAGICS_TARGET")
    endpoint_requested = endpoint or (last_run and last_run.get("endpoint"))
    if endpoint_requested and (chosen is None or (endpoint and chosen.source == LAST_RUN)):
        chosen = Sourced(target_types.AI_PLATFORM.name, _("an endpoint is set"))
    chosen = chosen or Sourced(target_types.LOCAL.name, _("default: the embedded server"))
    kind = target_types.get(chosen.value, where=_("target, from {source}", source=chosen.label))
    endpoint_setting = storage = None
    if kind.endpoint_property:
        endpoint_setting = pick(endpoint, "endpoint", kind.endpoint_property, *kind.endpoint_variables)
        storage_override = "api_endpoint_overrides/storage"
        storage = pick(storage_endpoint, "storage_endpoint", storage_override, "AIP_MAGICS_STORAGE_ENDPOINT")
    if endpoint_setting and endpoint_setting.value == LOCAL_ENDPOINT and not kind.has_local_endpoint:
        raise SettingsError(
            _("target {name} has no endpoint {value!r}", name=kind.name, value=LOCAL_ENDPOINT),
            where=_("endpoint, from {source}", source=endpoint_setting.label),
            fix=_("add --target vertex, or use --target local without --endpoint"),
        )
    region_setting = pick(region, "region", kind.region_property, "AIP_MAGICS_REGION")
    if kind.default_region:
        source = _("default of the {name} target", name=kind.name)
        region_setting = region_setting or Sourced(kind.default_region, source)
    elif region_setting and region_setting.value == "global":
        region_setting = None
    return Settings(
        target=chosen,
        project=_project(pick(project, "project", "core/project", "GOOGLE_CLOUD_PROJECT"), kind, endpoint_setting),
        region=region_setting,
        endpoint=endpoint_setting,
        storage_endpoint=storage,
        data_dir=data_dir(env.variables),
        bucket=pick(None, "bucket", "aip_magics/bucket", "AIP_MAGICS_BUCKET"),
    )


def default_bucket(settings: Settings) -> Sourced[str]:
    """The bucket of uploads where the user has set none, and the pattern of its name."""
    pattern = target_types.get(settings.target.value).default_bucket
    project = settings.project.value.replace(":", "-").replace(".", "-")
    name = pattern.format(project=project, region=settings.region.value if settings.region else "")
    return Sourced(name, pattern.format(project="PROJECT_ID", region="REGION"))


def data_dir(variables: Mapping[str, str]) -> Path:
    """The directory of the embedded server's state: `AIP_MAGICS_HOME`, or the user's data directory.

    It may not exist yet; `NO_HOME` if the user has no home directory.

    Raises:
        SettingsError: As in `private`.
    """
    if variables.get("AIP_MAGICS_HOME"):
        return private(Path(os.path.expanduser(variables["AIP_MAGICS_HOME"])).absolute())
    import platformdirs

    try:
        directory = platformdirs.user_data_dir("aip_magics", appauthor=False)
    except RuntimeError:  # HOME is not set, and the user ID has no entry in the user database
        return NO_HOME
    return NO_HOME if directory.startswith("~") else private(Path(directory).absolute())


def private(directory: Path) -> Path:
    """Return the data directory if no other user can write to the directory, or if it does not exist yet.

    The directory contains the token and the address of the server: another user who can write there could receive the
    models of the owner and replace files.

    Raises:
        SettingsError: The directory belongs to another user, or its group or others can write.
    """
    try:
        status = directory.stat()
    except OSError:
        return directory
    if not hasattr(os, "geteuid") or not stat.S_ISDIR(status.st_mode):
        return directory  # using the path fails with an error of its own
    if status.st_uid != os.geteuid():
        text = _("the data directory belongs to another user (uid {uid})", uid=status.st_uid)
    elif status.st_mode & 0o022:
        text = _("other users can write to the data directory (mode {mode})", mode=f"{status.st_mode & 0o777:03o}")
        fix = f"chmod go-w {shlex.quote(str(directory))}"
        raise SettingsError(text, where=str(directory), fix=fix)
    else:
        return directory
    raise SettingsError(text, where=str(directory), fix=_("use a directory of your own: export AIP_MAGICS_HOME=DIR"))


def _project(found: Sourced[str] | None, kind: TargetType, endpoint: Sourced[str] | None) -> Sourced[str]:
    if found is None:
        default = kind.default_project
        if kind.has_local_endpoint and endpoint and endpoint.value == LOCAL_ENDPOINT:
            default = target_types.LOCAL.default_project
        if default:
            return Sourced(default, _("default of the {name} target", name=kind.name))
        raise SettingsError(
            _("no project is set"),
            where="project",
            fix=_("add --project PROJECT_ID, or run `gcloud config set project PROJECT_ID`"),
        )
    if not PROJECT.fullmatch(found.value):
        fix = _("use 6 to 30 lower-case letters, digits and hyphens, starting with a letter")
        if found.value.isdecimal():
            fix = _(
                "use the project ID instead of the project number: 6 to 30 lower-case letters, digits and hyphens, "
                "starting with a letter"
            )
        raise SettingsError(
            _("invalid project ID {value!r}", value=found.value),
            where=_("project, from {source}", source=found.label),
            fix=fix,
        )
    return found


def gcloud_home(variables: Mapping[str, str]) -> Path:
    """The directory of gcloud's configuration and the Application Default Credentials."""
    if variables.get("CLOUDSDK_CONFIG"):
        return Path(variables["CLOUDSDK_CONFIG"])
    if variables.get("APPDATA"):
        return Path(variables["APPDATA"]) / "gcloud"
    return Path(os.path.expanduser(variables.get("HOME") or "~")) / ".config" / "gcloud"


def _gcloud_properties(variables: Mapping[str, str]) -> dict[str, str]:
    """The properties of gcloud's active configuration by `section/name`; empty without a configuration."""
    home = gcloud_home(variables)
    try:
        name = variables.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or (home / "active_config").read_text("utf-8").strip()
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string((home / "configurations" / f"config_{name}").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {f"{section}/{key}": value for section in parser.sections() for key, value in parser.items(section)}

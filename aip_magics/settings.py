"""Where project, region, target and the data directory come from, and which source won.

Order: argument ▸ configuration of this session (`%config`, `configure()`) ▸ gcloud's configuration ▸ environment.
gcloud's own environment variables count as gcloud's configuration, as gcloud itself has it.
"""

from __future__ import annotations

import configparser
import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from aip_magics.errors import SettingsError
from aip_magics.spec import nearest

T = TypeVar("T")

TARGETS = ("local", "aiplatform")
LOCAL_PROJECT = "aip-local"


@dataclasses.dataclass(frozen=True)
class Sourced(Generic[T]):
    """A value and where it came from."""

    value: T
    source: str


@dataclasses.dataclass(frozen=True)
class Environment:
    """What is read from outside, once: environment variables and gcloud's active configuration."""

    variables: Mapping[str, str]
    gcloud: Mapping[str, str]  # "core/project" → value

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Read the process's environment and gcloud's active configuration (no gcloud is run)."""
        variables = dict(os.environ if variables is None else variables)
        return cls(variables, _gcloud_properties(variables))

    def find(self, session: Mapping[str, str], name: str, gcloud: str, *variables: str) -> Sourced[str] | None:
        """The first source that has a value for the setting `name`."""
        if session.get(name):
            return Sourced(session[name], "configuration of this session")
        section, _, key = gcloud.partition("/")
        variable = f"CLOUDSDK_{section}_{key}".upper()
        if self.variables.get(variable):
            return Sourced(self.variables[variable], f"environment variable {variable}")
        if self.gcloud.get(gcloud):
            return Sourced(self.gcloud[gcloud], f"gcloud's configuration ({gcloud})")
        for variable in variables:
            if self.variables.get(variable):
                return Sourced(self.variables[variable], f"environment variable {variable}")
        return None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings a command runs with, each with its source."""

    target: Sourced[str]
    project: Sourced[str]
    region: Sourced[str] | None  # a regional endpoint; None is the global one
    endpoint: Sourced[str] | None  # a base URL that replaces Google's
    storage_endpoint: Sourced[str] | None
    data_dir: Path  # of the embedded server


def resolve(
    *,
    target: str | None = None,
    project: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    storage_endpoint: str | None = None,
    session: Mapping[str, str] | None = None,
    environment: Environment | None = None,
) -> Settings:
    """Settle all settings; arguments win. SettingsError where one is missing or malformed."""
    env = environment or Environment.read()
    session = session or {}

    def pick(value: str | None, name: str, gcloud: str, *variables: str) -> Sourced[str] | None:
        return Sourced(value, "argument") if value else env.find(session, name, gcloud, *variables)

    endpoint_setting = pick(endpoint, "endpoint", "api_endpoint_overrides/ml", "AIP_MAGICS_ENDPOINT")
    chosen = pick(target, "target", "aip_magics/target", "AIP_MAGICS_TARGET")
    if chosen is None and endpoint:
        chosen = Sourced("aiplatform", "an endpoint was given")
    chosen = chosen or Sourced("local", "default: the embedded server")
    if chosen.value not in TARGETS:
        fix = nearest(chosen.value, list(TARGETS)) or f"one of {', '.join(TARGETS)}"
        raise SettingsError(f"{chosen.value!r} is not a target", where=f"target, from {chosen.source}", fix=fix)
    region_setting = pick(region, "region", "ai_platform/region", "AIP_MAGICS_REGION")
    if region_setting and region_setting.value == "global":
        region_setting = None
    storage_override = "api_endpoint_overrides/storage"
    storage = pick(storage_endpoint, "storage_endpoint", storage_override, "AIP_MAGICS_STORAGE_ENDPOINT")
    local = chosen.value == "local"
    return Settings(
        target=chosen,
        project=_project(pick(project, "project", "core/project", "GOOGLE_CLOUD_PROJECT"), local),
        region=region_setting,
        endpoint=None if local else endpoint_setting,
        storage_endpoint=None if local else storage,
        data_dir=data_dir(env.variables),
    )


def data_dir(variables: Mapping[str, str]) -> Path:
    """Where the embedded server keeps its state: `AIP_MAGICS_HOME`, or the user's data directory."""
    if variables.get("AIP_MAGICS_HOME"):
        return Path(variables["AIP_MAGICS_HOME"]).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("aip_magics", appauthor=False))


def _project(found: Sourced[str] | None, local: bool) -> Sourced[str]:
    if found is None:
        if local:
            return Sourced(LOCAL_PROJECT, "default of the local target")
        raise SettingsError(
            "no project is known",
            where="project",
            fix="add --project PROJECT_ID, or run `gcloud config set project PROJECT_ID`",
        )
    if not re.fullmatch(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", found.value):
        number = "this is a project number; " if found.value.isdecimal() else ""
        raise SettingsError(
            f"{found.value!r} is not a project ID",
            where=f"project, from {found.source}",
            fix=f"{number}a project ID has 6 to 30 lower-case letters, digits and hyphens and starts with a letter",
        )
    return found


def _gcloud_properties(variables: Mapping[str, str]) -> dict[str, str]:
    """The properties of gcloud's active configuration, as `section/name`; empty where there is none."""
    if variables.get("CLOUDSDK_CONFIG"):
        home = Path(variables["CLOUDSDK_CONFIG"])
    elif variables.get("APPDATA"):
        home = Path(variables["APPDATA"]) / "gcloud"
    else:
        home = Path(variables.get("HOME") or "~").expanduser() / ".config" / "gcloud"
    try:
        name = variables.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or (home / "active_config").read_text("utf-8").strip()
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string((home / "configurations" / f"config_{name}").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {f"{section}/{key}": value for section in parser.sections() for key, value in parser.items(section)}

"""What names of resources may be: the one source for the client, the checks and the embedded server.

A name becomes a part of a URL's path. One that held `/`, `:` or `?` would address something else than it says, so every
name is looked at before a path is made of it, and `in_path` quotes it besides.
"""

from __future__ import annotations

import re
import urllib.parse

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")  # as one is made
RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # of a model or version
OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# In a full name there may be a project's number, too, or what a compatible endpoint calls a project.
_ANY_PROJECT = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*:)?[A-Za-z0-9][A-Za-z0-9._-]*")
_LOCATION = re.compile(r"[a-z][a-z0-9-]*")
_FULL = "projects/"


def in_path(name: str) -> str:
    """A name as one part of a URL's path, whatever is in it."""
    return urllib.parse.quote(name, safe="")


def is_full(name: str | None) -> bool:
    """Whether it is meant as a full name, `projects/P/…`, as gcloud takes it."""
    return bool(name and name.startswith(_FULL))


def project_path(project: str, where: str = "--project") -> str:
    """`projects/P`. OptionError where that is no project."""
    if not _ANY_PROJECT.fullmatch(project):
        raise OptionError(
            _("{value!r} is not a project ID", value=project),
            where=where,
            fix=_("a project ID has 6 to 30 lower-case letters, digits and hyphens and starts with a letter"),
        )
    return f"{_FULL}{project}"


def model_path(project: str, model: str, where: str = "--model") -> str:
    """`projects/P/models/M`, of an ID or of that very full name. OptionError where it is neither."""
    parts = model.split("/")
    if is_full(model) and len(parts) == 4 and parts[2] == "models":
        return f"{project_path(parts[1], where)}/models/{_resource(parts[3], where, '%aip_list')}"
    return f"{project_path(project)}/models/{_resource(model, where, '%aip_list')}"


def version_path(project: str, model: str, version: str) -> str:
    """`projects/P/models/M/versions/V`, of IDs or of that very full name. OptionError where it is neither."""
    parts = version.split("/")
    if is_full(version) and len(parts) == 6 and (parts[2], parts[4]) == ("models", "versions"):
        model, version = "/".join(parts[:4]), parts[5]
        path = model_path(project, model, "VERSION")
    else:
        path = model_path(project, model)
    return f"{path}/versions/{_resource(version, 'VERSION', f'%aip_list --model {model}')}"


def operation_path(project: str, operation: str) -> str:
    """`projects/P/operations/O`, of an ID or of a full name. OptionError where it is neither."""
    parts = operation.split("/")
    parent = ""
    if is_full(operation) and parts[-2:-1] == ["operations"]:
        if len(parts) == 4:
            parent, operation = project_path(parts[1], "OPERATION"), parts[3]
        elif len(parts) == 6 and parts[2] == "locations" and _LOCATION.fullmatch(parts[3]):
            parent, operation = f"{project_path(parts[1], 'OPERATION')}/locations/{parts[3]}", parts[5]
    if not OPERATION.fullmatch(operation):
        raise OptionError(
            _(
                "{name!r} is not the name of an operation: it should start with a letter or digit and contain only "
                "letters, numbers, underscores, hyphens and dots",
                name=operation,
            ),
            where="OPERATION",
            fix=_("see the names: {line}", line="%aip_operations"),
        )
    return f"{parent or project_path(project)}/operations/{operation}"


def _resource(name: str, where: str, line: str) -> str:
    if not RESOURCE.fullmatch(name):
        raise OptionError(
            _(
                "{name!r} is not a name: it should start with a letter and contain only letters, numbers and "
                "underscores",
                name=name,
            ),
            where=where,
            fix=_("see the names: {line}", line=line),
        )
    return name

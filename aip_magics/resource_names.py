"""Syntax of resource names, for the client, the checks and the embedded server.

A name becomes a part of the path of a URL. A name with `/`, `:` or `?` would address another resource, so every name is
validated before a path is built, and `in_path` quotes the name as well.
"""

from __future__ import annotations

import re
import urllib.parse

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")  # as required on creation
RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # of a model or version
OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# A full name may also contain a project number, or the name of a project at a compatible endpoint.
_ANY_PROJECT = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*:)?[A-Za-z0-9][A-Za-z0-9._-]*")
_LOCATION = re.compile(r"[a-z][a-z0-9-]*")
_FULL = "projects/"


def in_path(name: str) -> str:
    """Quote a name as one part of the path of a URL."""
    return urllib.parse.quote(name, safe="")


def is_full(name: str | None) -> bool:
    """Whether a name is a full name, `projects/P/…`, as accepted by gcloud."""
    return bool(name and name.startswith(_FULL))


def project_path(project: str, where: str = "--project") -> str:
    """Build `projects/P`; OptionError for an invalid project."""
    if not _ANY_PROJECT.fullmatch(project):
        raise OptionError(
            _("invalid project ID {value!r}", value=project),
            where=where,
            fix=_("use 6 to 30 lower-case letters, digits and hyphens, starting with a letter"),
        )
    return f"{_FULL}{project}"


def model_path(project: str, model: str, where: str = "--model") -> str:
    """Build `projects/P/models/M` from an ID or a full name; OptionError for an invalid name."""
    parts = model.split("/")
    if is_full(model) and len(parts) == 4 and parts[2] == "models":
        return f"{project_path(parts[1], where)}/models/{_resource(parts[3], where, '%aip_list')}"
    return f"{project_path(project)}/models/{_resource(model, where, '%aip_list')}"


def version_path(project: str, model: str, version: str) -> str:
    """Build `projects/P/models/M/versions/V` from IDs or a full name; OptionError for an invalid name."""
    parts = version.split("/")
    if is_full(version) and len(parts) == 6 and (parts[2], parts[4]) == ("models", "versions"):
        model, version = "/".join(parts[:4]), parts[5]
        path = model_path(project, model, "VERSION")
    else:
        path = model_path(project, model)
    return f"{path}/versions/{_resource(version, 'VERSION', f'%aip_list --model {model}')}"


def operation_path(project: str, operation: str) -> str:
    """Build `projects/P/operations/O` from an ID or a full name; OptionError for an invalid name."""
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
                "invalid operation name {name!r}: expected a letter or digit followed by letters, digits, underscores, "
                "hyphens or dots",
                name=operation,
            ),
            where="OPERATION",
            fix=_("run {line} to list the names", line="%aip_operations"),
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
            fix=_("run {line} to list the names", line=line),
        )
    return name

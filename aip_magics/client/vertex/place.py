"""Names of Vertex AI's resources in one project and region.

A version has two names: its own (`projects/P/locations/L/models/iris@3`), and the one of AI Platform's form that this
package shows and takes (`projects/P/locations/L/models/iris/versions/v1`), whose last part is an alias, as in a cell.
"""

from __future__ import annotations

import dataclasses
import re

from aip_magics import resource_names
from aip_magics.client.vertex.ids import endpoint_id, version_alias
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

_REGION = re.compile(r"[a-z][a-z0-9-]*")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_PARENT = r"projects/[^/]+(?:/locations/[^/]+)?"
_MODEL = re.compile(rf"{_PARENT}/models/([^/@]+)")
_VERSION = re.compile(rf"{_PARENT}/models/([^/@]+)(?:@|/versions/)([^/@]+)")
_OPERATION = re.compile(rf"{_PARENT}(/(?:models|endpoints)/[^/@]+)?/operations/([^/]+)")


@dataclasses.dataclass(frozen=True)
class Place:
    """A project and a region."""

    project: str
    region: str

    @property
    def parent(self) -> str:
        """`projects/P/locations/L`. OptionError if one of them is not valid."""
        if not _REGION.fullmatch(self.region):
            raise OptionError(
                _("invalid region {value!r}", value=self.region), where="--region", fix="--region us-central1"
            )
        return f"{resource_names.project_path(self.project)}/locations/{self.region}"

    def model(self, model: str, where: str = "--model") -> str:
        """`projects/P/locations/L/models/M` from an ID or a full name. OptionError at `where` for an invalid name."""
        return f"{self.parent}/models/{self.model_id(model, where)}"

    def version(self, model: str, version: str) -> str:
        """`projects/P/locations/L/models/M@V` from IDs or full names. OptionError for an invalid name."""
        model_id, alias = self.version_ids(model, version)
        return f"{self.parent}/models/{model_id}@{alias}"

    def shown_version(self, model: str, version: str) -> str:
        """`projects/P/locations/L/models/M/versions/V` from IDs or full names. OptionError for an invalid name."""
        model_id, alias = self.version_ids(model, version)
        return f"{self.parent}/models/{model_id}/versions/{alias}"

    def endpoint(self, model: str) -> str:
        """The full name of a model's endpoint."""
        return f"{self.parent}/endpoints/{endpoint_id(self.model_id(model))}"

    def operation(self, operation: str) -> str:
        """The full name of an operation, which may belong to a model or an endpoint, from its ID or full name."""
        found = _OPERATION.fullmatch(operation)
        owner, name = (found[1] or "", found[2]) if found else ("", operation)
        if not resource_names.OPERATION.fullmatch(name):
            raise OptionError(
                _("invalid operation name {name!r}", name=operation),
                where="OPERATION",
                fix=_("run {line} to list the names", line="%aip_operations"),
            )
        return f"{self.parent}{owner}/operations/{name}"

    def model_id(self, model: str, where: str = "--model") -> str:
        """The ID of a model from an ID or a full name."""
        found = _MODEL.fullmatch(model)
        return _checked(found[1] if found else model, where, "%aip_list")

    def version_ids(self, model: str, version: str) -> tuple[str, str]:
        """The ID of the model, and the alias or number of the version."""
        found = _VERSION.fullmatch(version)
        model_id = self.model_id(found[1] if found else model)
        name = found[2] if found else version
        if not name.isdecimal():
            name = version_alias(name) or name
        return model_id, _checked(name, "VERSION", f"%aip_list --model {model_id}")


def _checked(name: str, where: str, line: str) -> str:
    if not _ID.fullmatch(name):
        raise OptionError(
            _("{name!r} is not a name: expected letters, digits, `_` and `-`", name=name),
            where=where,
            fix=_("run {line} to list the names", line=line),
        )
    return name

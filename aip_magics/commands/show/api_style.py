"""What the scripts of one API differ in: names, and where the embedded server is told a region and a Python."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from aip_magics.client import Request
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class ApiStyle:
    """The style of an API.

    Attributes:
        variable: The name of its base URL in a script for a shell, and of its client in a Python program.
        endpoint_variable: The environment variable of gcloud with its base URL.
        creation: The end of the path of the request that creates a version.
        host: The host name of a regional endpoint that the embedded server stands in for; empty if the path of a
            request names the region.
    """

    variable: str
    endpoint_variable: str
    creation: str
    host: str = ""

    def region_headers(self, target: Target) -> dict[str, str]:
        """The headers that name the regional endpoint: the embedded server stands in for all of them."""
        if not (target.runs_here and target.region and self.host):
            return {}
        return {"Host": f"{target.region}-{self.host}"}

    def python_headers(self, request: Request | None, target: Target) -> dict[str, str]:
        """The headers that name the Python that shall serve a new version: the Python that deploys it."""
        creates = request is not None and request.method == "POST" and request.path.endswith(self.creation)
        if not (target.runs_here and creates):
            return {}
        from aip_magics.targets.local import PYTHON_HEADER, this_python

        return {PYTHON_HEADER: this_python()}


_STYLES = {
    "ml": ApiStyle("ml", "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML", "/versions", "ml.googleapis.com"),
    "aiplatform": ApiStyle("vertex", "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", "/models:upload"),
}


def style_of(target: Target) -> ApiStyle:
    """The style of the API of a target. OptionError for an API that no script can be written for."""
    if target.api not in _STYLES:
        text = _("--show is not available for target {target}", target=target.name)
        raise OptionError(text, where="--show", fix=_("use --dry-run"))
    return _STYLES[target.api]

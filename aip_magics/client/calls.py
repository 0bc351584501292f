"""Every call of the v1 API that we make, as a value: what `--dry-run` shows is what `Client` sends.

Paths and bodies follow the discovery document `ml` v1, revision 20251213.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics import resource_names
from aip_magics.spec import Model, Version

ANSWER = 4 << 20  # bytes: a page has at most 100 resources of a few kB
# The service answered with 2 MB at most; the embedded server with whatever the model predicts.
LARGE_ANSWER = 32 << 20


@dataclasses.dataclass(frozen=True)
class Request:
    """One call: `path` is below the endpoint (`v1/projects/…`); `body` a JSON object or the raw bytes of a predict.

    `most` is how many bytes the answer may have.
    """

    method: str
    path: str
    body: Mapping[str, Any] | bytes | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    most: int = ANSWER

    @property
    def safe(self) -> bool:
        """Whether the call may simply be sent again: it changes nothing."""
        return self.method == "GET"

    @property
    def quoted(self) -> str:
        """The path as it goes into a URL. The names in it were looked at (`names`); what else is odd is quoted here."""
        return urllib.parse.quote(self.path, safe="/:")

    @property
    def told(self) -> str:
        """Path and query as people read them: nothing is quoted."""
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.path}?{query}" if query else self.path


def model_name(project: str, model: str) -> str:
    """`projects/P/models/M`; a full name is taken as it is, as gcloud does. OptionError for what is no name."""
    return resource_names.model_path(project, model)


def version_name(project: str, model: str, version: str) -> str:
    """`projects/P/models/M/versions/V`; a full name is taken as it is. OptionError for what is no name."""
    return resource_names.version_path(project, model, version)


def operation_name(project: str, operation: str) -> str:
    """`projects/P/operations/O`; a full name is taken as it is. OptionError for what is no name."""
    return resource_names.operation_path(project, operation)


def create_model(project: str, model: Model) -> Request:
    return Request("POST", f"v1/{resource_names.project_path(project)}/models", model.to_json())


def get(name: str) -> Request:
    """A model, version or operation by its full name."""
    return Request("GET", f"v1/{name}")


def list_models(project: str, page_token: str = "") -> Request:
    return _list(f"v1/{resource_names.project_path(project)}/models", page_token)


def list_versions(model: str, page_token: str = "") -> Request:
    return _list(f"v1/{model}/versions", page_token)


def list_operations(project: str, page_token: str = "") -> Request:
    return _list(f"v1/{resource_names.project_path(project)}/operations", page_token)


def delete(name: str) -> Request:
    """Delete a model or version; the answer is an Operation."""
    return Request("DELETE", f"v1/{name}")


def create_version(model: str, version: Version) -> Request:
    return Request("POST", f"v1/{model}/versions", version.to_json())


def patch(name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Request:
    """Change the fields of `mask` (`autoScaling.minNodes`) of a model or version; the answer is an Operation."""
    return Request("PATCH", f"v1/{name}", dict(fields), {"updateMask": ",".join(mask)})


def set_default(version: str) -> Request:
    return Request("POST", f"v1/{version}:setDefault", {})


def cancel(operation: str) -> Request:
    return Request("POST", f"v1/{operation}:cancel", {})


def predict(name: str, body: bytes) -> Request:
    """Online prediction by a version, or by a model's default version; the body goes through untouched."""
    return Request("POST", f"v1/{name}:predict", body, most=LARGE_ANSWER)


def version_runtime(version: str) -> Request:
    """The Python and the libraries that serve a version: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:runtime")


def version_stats(version: str) -> Request:
    """Counters and latencies of a version: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:stats")


def version_logs(version: str, lines: int) -> Request:
    """The last lines of a version's logs: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:logs", params={"lines": str(lines)}, most=LARGE_ANSWER)


def _list(path: str, page_token: str) -> Request:
    # 100 is the most the API gives in one page.
    return Request("GET", path, params={"pageSize": "100", **({"pageToken": page_token} if page_token else {})})

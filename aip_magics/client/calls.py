"""Calls of the v1 API as values: `--dry-run` shows the same ones that `Client` sends.

Paths and bodies follow the discovery document `ml` v1, revision 20251213.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics import resource_names
from aip_magics.spec import Model, Version

MAX_PAGE_SIZE = 100  # of the API
MAX_RESPONSE_BYTES = 4 << 20  # a page has at most 100 resources of a few kB
# The service returned at most 2 MB; the embedded server returns all that the model predicts.
MAX_LARGE_RESPONSE_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class Request:
    """One call.

    `path` is relative to the endpoint (`v1/projects/…`), `body` a JSON object or the bytes of a prediction request,
    `max_bytes` the upper bound of the response.
    """

    method: str
    path: str
    body: Mapping[str, Any] | bytes | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    max_bytes: int = MAX_RESPONSE_BYTES

    @property
    def is_safe(self) -> bool:
        """Whether the call changes nothing and may be retried."""
        return self.method == "GET"

    @property
    def quoted_path(self) -> str:
        """The path as part of a URL. `names` has checked the names; other special characters are quoted."""
        return urllib.parse.quote(self.path, safe="/:")

    @property
    def label(self) -> str:
        """Path and query for display, unquoted."""
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.path}?{query}" if query else self.path


@dataclasses.dataclass(frozen=True)
class Wait:
    """Wait for an operation, named in full; if empty, for the operation of the previous call."""

    operation: str = ""


def model_name(project: str, model: str) -> str:
    """`projects/P/models/M`; a full name is kept, as gcloud does. OptionError for an invalid name."""
    return resource_names.model_path(project, model)


def version_name(project: str, model: str, version: str) -> str:
    """`projects/P/models/M/versions/V`; a full name is kept. OptionError for an invalid name."""
    return resource_names.version_path(project, model, version)


def operation_name(project: str, operation: str) -> str:
    """`projects/P/operations/O`; a full name is kept. OptionError for an invalid name."""
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


def list_operations(project: str, page_token: str = "", page_size: int = MAX_PAGE_SIZE) -> Request:
    return _list(f"v1/{resource_names.project_path(project)}/operations", page_token, page_size)


def delete(name: str) -> Request:
    """Delete a model or version; the response is an Operation."""
    return Request("DELETE", f"v1/{name}")


def create_version(model: str, version: Version) -> Request:
    return Request("POST", f"v1/{model}/versions", version.to_json())


def patch(name: str, fields: Mapping[str, Any], mask: Sequence[str]) -> Request:
    """Update the fields of `mask` (`autoScaling.minNodes`) of a model or version; the response is an Operation."""
    return Request("PATCH", f"v1/{name}", dict(fields), {"updateMask": ",".join(mask)})


def set_default(version: str) -> Request:
    return Request("POST", f"v1/{version}:setDefault", {})


def cancel(operation: str) -> Request:
    return Request("POST", f"v1/{operation}:cancel", {})


def predict(name: str, body: bytes) -> Request:
    """Online prediction by a version, or by a model's default version; the body is sent unchanged."""
    return Request("POST", f"v1/{name}:predict", body, max_bytes=MAX_LARGE_RESPONSE_BYTES)


def version_runtime(version: str) -> Request:
    """The Python and the libraries that serve a version: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:runtime")


def version_stats(version: str) -> Request:
    """Counters and latencies of a version: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:stats")


def version_logs(version: str, lines: int) -> Request:
    """The last lines of a version's logs: an extension of the embedded server."""
    return Request("GET", f"v1/{version}:logs", params={"lines": str(lines)}, max_bytes=MAX_LARGE_RESPONSE_BYTES)


def _list(path: str, page_token: str, page_size: int = MAX_PAGE_SIZE) -> Request:
    size = str(min(page_size, MAX_PAGE_SIZE))
    return Request("GET", path, params={"pageSize": size, **({"pageToken": page_token} if page_token else {})})

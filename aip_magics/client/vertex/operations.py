"""Vertex AI's operations in the terms of a cell, and what an operation that failed without a log means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from aip_magics.client.vertex import responses
from aip_magics.client.vertex.place import Place
from aip_magics.errors import OperationFailed
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, OperationMetadata, OperationType, Status, Version

# The kind of an operation by the type of its metadata; the last three are not AI Platform's.
_KINDS = {
    "DeployModelOperationMetadata": "CREATE_VERSION",
    "UndeployModelOperationMetadata": "UNDEPLOY_VERSION",
    "MutateDeployedModelOperationMetadata": "UPDATE_VERSION",
    "DeleteOperationMetadata": "DELETE_MODEL",
    "UploadModelOperationMetadata": "UPLOAD_MODEL",
    "CreateEndpointOperationMetadata": "CREATE_ENDPOINT",
}
BUSY = "other operations running"  # in the message of an error: an endpoint deploys one model at a time
_OWNER = re.compile(r"/(models|endpoints)/([^/@]+)[^/]*/operations/")


def operation(place: Place, data: Mapping[str, Any], version: str = "") -> Operation:
    """Build an operation. FieldError for a response that is none.

    Args:
        place: The place of its model.
        data: The Operation of the API.
        version: The full name of the version that it creates, if known. The API tells it only when it is done.
    """
    data = responses.operation(data)
    metadata = data.get("metadata") or {}
    times = metadata.get("genericMetadata") or {}
    owner = _OWNER.search(str(data.get("name") or ""))
    kind = _KINDS.get(str(metadata.get("@type") or "").rpartition(".")[2])
    deployed = (data.get("response") or {}).get("deployedModel") or {}
    if not version and kind == "CREATE_VERSION" and deployed.get("modelVersionId"):
        model = str(deployed.get("model")).rpartition("/")[2].partition("@")[0]
        version = place.shown_version(model, str(deployed["modelVersionId"]))
    done = bool(data.get("done"))
    shown = OperationMetadata(
        createTime=times.get("createTime"),
        startTime=times.get("createTime"),
        endTime=times.get("updateTime") if done else None,
        operationType=cast(OperationType, kind) if kind else None,
        modelName=place.model(owner[2]) if owner else None,
        version=Version(name=version) if version else None,
        other=dict(metadata) or None,
    )
    error = data.get("error")
    return Operation(
        name=str(data.get("name") or ""),
        metadata=shown,
        done=done or None,
        error=Status.from_json(error, strict=False) if error else None,
        response=data.get("response"),
    )


def is_of(found: Operation, owner: str, kind: str) -> bool:
    """Whether an operation is a running one of this kind on a model or an endpoint, `models/M`."""
    metadata = found.metadata
    return bool(
        not found.done and metadata and metadata.operationType == kind and f"/{owner}/operations/" in str(found.name)
    )


def explained(error: OperationFailed) -> OperationFailed:
    """Add to a failure what it means where the API does not say: it names no cause, and the logs are often empty."""
    if not error.fix:
        error.fix = next((text() for part, text in _CAUSES if part in error.message), "") or _again()
    return error


def _again() -> str:
    return _("run the command again: what was uploaded is deployed again")


# By a part of the message: issues and samples of Google's, see `targets/vertex/links.py`.
_CAUSES: tuple[tuple[str, Callable[[], str]], ...] = (
    (
        "Model server exited unexpectedly",
        lambda: _("run %aip_check: the image has other libraries than the model, or lacks a module that it imports"),
    ),
    (
        "Model server never became ready",
        lambda: _("run %aip_check: port and health route of the container must be those of the version"),
    ),
    (
        "is expected to contain exactly one of",
        lambda: _("keep exactly one model file in the directory, named model.joblib, model.pkl or model.bst"),
    ),
    (
        "same regional location",
        lambda: _("use a bucket in the region of the endpoint: --staging-bucket gs://BUCKET"),
    ),
    (
        "does not have storage.objects.get",
        lambda: _("grant the service account roles/storage.objectViewer on the bucket"),
    ),
    (
        "quota",
        lambda: _("undeploy unused versions (%aip_undeploy), or ask for more quota in this region"),
    ),
)

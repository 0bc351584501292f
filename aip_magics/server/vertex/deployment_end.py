"""The end of a deployModel operation: the endpoint gets the model and the traffic, or stays as it was."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aip_magics.server.names import VersionKey
from aip_magics.server.state.database import Database
from aip_magics.server.state.endpoints_table import EndpointRow
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.version_creation import CANCELLED, FAILED_PRECONDITION, INVALID_ARGUMENT
from aip_magics.server.vertex import traffic
from aip_magics.server.vertex.operations import REQUESTED, timestamp
from aip_magics.server.vertex.resources import API
from aip_magics.spec import Status, Version

LOG_LINES = 10  # in the message; the details of the error have more
_PREFIX = "Create Version failed. "
_BAD_MODEL = re.compile(r'Bad model detected with error:  "(.*)"(.*)', re.DOTALL)


def finish(
    database: Database, clock: Callable[[], datetime], key: VersionKey, version: Version, operation: OperationRow
) -> None:
    """Finish the operation that creates the version of a deployed model, in one transaction.

    READY: the endpoint has the model, and the traffic split that was requested. FAILED: the row is deleted.
    """
    metadata = operation.operation.metadata
    assert metadata is not None
    other = dict(metadata.other or {})
    requested = other.pop(REQUESTED)
    other.pop("progress", None)
    is_ready = version.state == "READY"
    other["deploymentStage"] = "SUCCESSFULLY_DEPLOYED" if is_ready else "FAILED_TO_DEPLOY"
    done = operation.operation.replace(metadata=metadata.replace(other=other))
    if is_ready:
        deployed = requested["deployedModel"]
        done = done.replace(response={"@type": f"{API}DeployModelResponse", "deployedModel": deployed})
    elif done.error is not None:
        done = done.replace(error=_deployment_error(done.error))
    row = dataclasses.replace(operation, operation=done)
    with database.transaction():
        if is_ready:
            database.endpoints.update(_deployed(database, clock, key, requested))
            database.finish_version(key, version, row)
        else:
            database.remove_version(key)
            database.update_operation(row)


def _deployed(
    database: Database, clock: Callable[[], datetime], key: VersionKey, requested: Mapping[str, Any]
) -> EndpointRow:
    """Return the endpoint with the model, which no other request could change in the meantime."""
    row = database.endpoints.get(key.parent)
    assert row is not None  # an endpoint is not deleted while a model is being deployed to it
    document = row.document
    split = traffic.after_deploy(document["trafficSplit"], requested["trafficSplit"], key.version)
    return EndpointRow(
        row.key,
        {
            **document,
            "deployedModels": [*document["deployedModels"], requested["deployedModel"]],
            "trafficSplit": split,
            "updateTime": timestamp(clock()),
        },
    )


def _deployment_error(error: Status) -> Status:
    """Return the error of a version's creation in Vertex AI's words, with the end of the log."""
    text = (error.message or "").removeprefix(_PREFIX).replace("create the version again", "deploy the model again")
    if error.code == CANCELLED:
        return error.replace(message="The operation was cancelled.")
    bad_model = _BAD_MODEL.fullmatch(text) if error.code == INVALID_ARGUMENT else None
    if bad_model is None:
        return error.replace(message=text)
    lines = [line for detail in error.details or () for line in detail.get("stackEntries", ())]
    log = ["Model server logs:", *lines[-LOG_LINES:]] if lines else []
    message = "\n".join(filter(None, [f"Model server exited unexpectedly. {bad_model[1]}", *log, bad_model[2].strip()]))
    return error.replace(code=FAILED_PRECONDITION, message=message)

"""Shared state of request handlers, and the resource names in a request's path."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from aip_magics.server.names import ModelKey, VersionKey

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore
    from aip_magics.server.serving.node_groups import NodeGroups
    from aip_magics.server.serving.request_logs import RequestLogs
    from aip_magics.server.state.database import Database
    from aip_magics.server.state.last_use_times import LastUseTimes
    from aip_magics.server.state.model_snapshots import ModelSnapshots
    from aip_magics.server.version_creation import VersionCreator


@dataclasses.dataclass(frozen=True)
class AppContext:
    """Shared state of one running server.

    `python` is the interpreter of versions whose clients do not name one.
    """

    database: Database
    object_store: ObjectStore
    model_snapshots: ModelSnapshots
    nodes: NodeGroups
    version_creator: VersionCreator
    last_use: LastUseTimes
    request_logs: RequestLogs
    clock: Callable[[], datetime]
    python: str
    version: str
    pid: int
    warm: Callable[[str, str | None], None]  # imports a framework before the first worker needs it
    stop: Callable[[], None]


def get_context(request: Request) -> AppContext:
    """Return the shared state of the server that handles the request."""
    return cast(AppContext, request.scope["service"])


def model_key(request: Request) -> ModelKey:
    """Return the key of the model in the request's path."""
    path = request.path_params
    return ModelKey(request.scope["location"], path["project"], path["model"])


def version_key(request: Request) -> VersionKey:
    """Return the key of the version in the request's path."""
    return model_key(request).child(request.path_params["version"])

"""What a handler works with: the parts of the running server, and the names in the request's path."""

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
    """The parts of one running server. `python` serves the versions of callers that name no interpreter."""

    store: Database
    objects: ObjectStore
    copies: ModelSnapshots
    nodes: NodeGroups
    creations: VersionCreator
    last_use: LastUseTimes
    request_logs: RequestLogs
    clock: Callable[[], datetime]
    python: str
    version: str
    pid: int
    warm: Callable[[str, str | None], None]  # import a framework ahead of the first worker that needs it
    stop: Callable[[], None]


def get_context(request: Request) -> AppContext:
    return cast(AppContext, request.scope["service"])


def model_key(request: Request) -> ModelKey:
    path = request.path_params
    return ModelKey(request.scope["location"], path["project"], path["model"])


def version_key(request: Request) -> VersionKey:
    return model_key(request).child(request.path_params["version"])

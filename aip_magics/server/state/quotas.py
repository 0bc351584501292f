"""Quotas of a project, as in the service.

The number of models is not limited: they need nothing of this machine.
"""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.errors import ApiError
from aip_magics.server.conventions.error_responses import quota_exceeded
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database


def check_version_quota(database: Database, key: ModelKey) -> None:
    """Raise ResourceExhausted when the project has the maximum number of versions, over all its models."""
    maximum = catalog.limits().versions_per_project
    if database.count_versions(key.project) >= maximum:
        raise _exceeded(key, f"A project can have at most {maximum} versions, over all its models.")


def check_operation_quota(database: Database, key: ModelKey) -> None:
    """Raise ResourceExhausted while the maximum number of operations that create or delete versions is running."""
    maximum = catalog.limits().concurrent_operations
    if database.count_running_operations(key.project) >= maximum:
        text = f"At most {maximum} operations that create or delete a version can run at once; wait until one is done."
        raise _exceeded(key, text)


def _exceeded(key: ModelKey, description: str) -> ApiError:
    return quota_exceeded(f"project:{key.project}", description)

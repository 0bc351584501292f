"""What a project may have at most, as the service had it."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.errors import ApiError
from aip_magics.server.conventions.error_responses import over_quota
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database


def one_more_model(store: Database, key: ModelKey) -> None:
    """ResourceExhausted where the project has as many models as it may."""
    most = catalog.limits().models_per_project
    if store.count_models(key.project) >= most:
        raise _exceeded(key, f"A project can have at most {most} models.")


def one_more_version(store: Database, key: ModelKey) -> None:
    """ResourceExhausted where the project has as many versions, over all its models, as it may."""
    most = catalog.limits().versions_per_project
    if store.count_versions(key.project) >= most:
        raise _exceeded(key, f"A project can have at most {most} versions, over all its models.")


def one_more_operation(store: Database, key: ModelKey) -> None:
    """ResourceExhausted while as many operations that create or delete versions run as may at once."""
    most = catalog.limits().concurrent_operations
    if store.count_running(key.project) >= most:
        text = f"At most {most} operations that create or delete a version can run at once; wait until one is done."
        raise _exceeded(key, text)


def _exceeded(key: ModelKey, description: str) -> ApiError:
    return over_quota(f"project:{key.project}", description)

"""Plan and run a deployment: files → checks → upload → model → version → first prediction."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aip_magics.deploy.deployment import Deployment
    from aip_magics.deploy.plan import Choice, Plan, PlannedRequest, PlanStep
    from aip_magics.deploy.running import Result, dry_run, run

__all__ = ["Choice", "Deployment", "Plan", "PlanStep", "PlannedRequest", "Result", "dry_run", "run"]

_HOMES = {"Deployment": "deployment", "Result": "running", "dry_run": "running", "run": "running"}


def __getattr__(name: str) -> Any:
    # Uploads tell their steps as deployments do, and need neither the checks nor a plan.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'plan')}"), name)

"""Plan and run a deployment: files → checks → upload → model → version → first prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.deploy.deployment import Deployment
    from aip_magics.deploy.plan import Choice, Plan, PlannedRequest, PlanStep
    from aip_magics.deploy.runner import Result, dry_run, run

__all__ = ["Choice", "Deployment", "Plan", "PlanStep", "PlannedRequest", "Result", "dry_run", "run"]

# Uploads tell their steps as deployments do, and need neither the checks nor a plan.
__getattr__ = lazy_getattr(
    __name__,
    {
        "Choice": "plan",
        "Deployment": "deployment",
        "Plan": "plan",
        "PlanStep": "plan",
        "PlannedRequest": "plan",
        "Result": "runner",
        "dry_run": "runner",
        "run": "runner",
    },
)

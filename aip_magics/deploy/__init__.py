"""Plan and run a deployment: files → checks → resolve → upload → model → version → first prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.deploy.deployment import Deployment
    from aip_magics.deploy.plan import Plan, PlannedRequest, PlanStep
    from aip_magics.deploy.runner import Result, dry_run, run

__all__ = ["Deployment", "Plan", "PlanStep", "PlannedRequest", "Result", "dry_run", "run"]

# Lazy, because `commands/upload.py` uses the steps of a run but neither the checks nor the plan.
__getattr__ = lazy_getattr(
    __name__,
    {
        "Deployment": "deployment",
        "Plan": "plan",
        "PlanStep": "plan",
        "PlannedRequest": "plan",
        "Result": "runner",
        "dry_run": "runner",
        "run": "runner",
    },
)

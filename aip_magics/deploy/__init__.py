"""Plan and run a deployment: files → checks → upload → model → version → first prediction."""

from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.plan import Choice, Plan, PlannedRequest, PlanStep
from aip_magics.deploy.run import Result, dry_run, run

__all__ = ["Choice", "Deployment", "Plan", "PlanStep", "PlannedRequest", "Result", "dry_run", "run"]

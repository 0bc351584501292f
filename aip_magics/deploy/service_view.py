"""The target as the online checks see it: each method is one request, sent when a check calls it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from aip_magics import checks
from aip_magics.checks import BucketView, Report
from aip_magics.client import calls
from aip_magics.client.calls import Request
from aip_magics.deploy.preflight import build_check_context
from aip_magics.deploy.version_diff import VersionDecision
from aip_magics.spec import Model, Operation, Version
from aip_magics.storage import GsUri, find_bucket, readers
from aip_magics.targets import Target


def check_online(decision: VersionDecision, target: Target, model: Model | None, versions: Sequence[Version]) -> Report:
    """Apply the rules that ask the service. `model` and `versions` are those of the target, fetched before.

    For a version that is kept or waited for, only the rule about differing model fields (M01) applies.
    """
    plan = decision.plan
    only = None if decision.action in ("create", "replace") else ("M01",)
    # A version of the same name is replaced, so it is not a conflict.
    others = [version for version in versions if version.id != plan.version.id]
    view = TargetView(target, model, others, plan.version.deploymentUri)
    report = checks.run_online(build_check_context(plan, target), view, skip=plan.deployment.skip, only=only)
    return dataclasses.replace(report, strict=plan.deployment.strict)


class TargetView:
    """The `checks.ServiceView` of a connected target. `uri` is the deploymentUri, or None if it is not known yet."""

    def __init__(self, target: Target, model: Model | None, versions: Sequence[Version], uri: str | None) -> None:
        self._target = target
        self._model = model
        self._versions = versions
        self._uri = uri

    def model(self) -> Model | None:
        return self._model

    def versions(self) -> Sequence[Version]:
        return self._versions

    def model_count(self) -> int:
        return len(self._target.client.list_models())

    def running(self) -> int:
        return sum(map(_is_running, self._target.client.list_operations()))

    def permissions(self, wanted: Collection[str]) -> frozenset[str]:
        name = calls.model_name(self._target.project, self._model.id if self._model else "")
        request = Request("POST", f"v1/{name}:testIamPermissions", {"permissions": sorted(wanted)})
        answer = self._target.client.transport.send(request)
        return frozenset(answer.get("permissions") or ())

    def service_agent(self) -> str:
        request = Request("GET", f"v1/projects/{self._target.project}:getConfig")
        return str(self._target.client.transport.send(request).get("serviceAccount") or "")

    def bucket(self) -> BucketView | None:
        if self._uri is None:
            return None
        bucket = find_bucket(self._target.store, GsUri.parse(self._uri).bucket)
        return BucketView(bucket.name, bucket.location, bucket.project_number, bucket.regions) if bucket else None

    def bucket_readers(self) -> frozenset[str]:
        return readers(self._target.store, GsUri.parse(self._uri or "").bucket)


def _is_running(operation: Operation) -> bool:
    kind = operation.metadata.operationType if operation.metadata else None
    return not operation.done and kind in ("CREATE_VERSION", "DELETE_VERSION")

"""Running a deployment: the only place where the steps meet. Each step emits its events; nothing is printed here."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from aip_magics.artifacts import ModelDir, inspect_model_dir
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.plan import Plan, make_plan, resolve_version_name, with_requests
from aip_magics.deploy.prediction_diff import difference
from aip_magics.deploy.preflight import (
    build_plan,
    check_plan,
    check_step,
    report_findings,
    resolve_plan,
    summarize_findings,
    trial_step,
)
from aip_magics.deploy.service_view import check_online
from aip_magics.deploy.steps import Emit, Steps, file_summary
from aip_magics.deploy.trial import TrialRunner, preload_worker, run_trial_locally
from aip_magics.deploy.upload_step import upload_step
from aip_magics.deploy.version_diff import VersionDecision, resolve_version
from aip_magics.errors import AipError, Interrupted, OperationFailed, PredictionError
from aip_magics.events import Detached, Heartbeat, Note
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version
from aip_magics.storage import ensure_bucket
from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run made. `version` is None when it was not waited for; then `operation` goes on by itself."""

    plan: Plan
    version: Version | None = None
    operation: Operation | None = None
    local: dict[str, Any] | None = None
    online: dict[str, Any] | None = None


def dry_run(deployment: Deployment, target: Target) -> Plan:
    """The plan with all its requests; looks at the files, checks them, contacts nothing.

    ChecksFailed where the checks find an error. A version name that was left out is shown as `v1`: which one is free
    is known only to the target.
    """
    plan = build_plan(deployment, target)
    check_plan(plan, target).raise_on_errors()
    source = "" if plan.version.name else _("first version (a dry run does not ask the target)")
    return with_requests(resolve_version_name(plan, target, plan.version.name or "v1", source), target)


def run(
    deployment: Deployment,
    target: Target,
    emit: Emit,
    *,
    attempt: TrialRunner = run_trial_locally,
    wait: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Deploy, from the look at the files to the first online prediction.

    Emits an event for all that happens and returns the Result; raises the AipError that stopped it (after a `Failed`
    event). An interrupt while waiting detaches: the operation goes on, the Result has it. Every step may be run again:
    what is there already is used.
    """
    steps = Steps(emit)
    try:
        return _DeployRun(deployment, target, steps, attempt, sleep).all(wait)
    except KeyboardInterrupt:
        error = Interrupted(
            _("stopped by you"), where=steps.title, fix=_("run the same again: it continues from there")
        )
        steps.fail(error)
        raise error from None
    except AipError as error:
        steps.fail(error)
        raise


class _DeployRun:
    def __init__(
        self,
        deployment: Deployment,
        target: Target,
        steps: Steps,
        attempt: TrialRunner,
        sleep: Callable[[float], None],
    ) -> None:
        self.deployment = deployment
        self.target = target
        self.steps = steps
        self.attempt = attempt
        self.sleep = sleep
        self.body = deployment.test_request()
        self.versions: list[Version] = []  # those the model has, once the target was asked

    def all(self, wait: bool) -> Result:
        model_dir = self.look()
        plan = make_plan(self.deployment, self.target, model_dir)
        check_step(self.steps, plan, self.target)
        # Before the try: the embedded server imports the framework while the local worker does.
        found = self.connect(plan)
        local = trial_step(self.steps, plan, self.target, self.attempt)
        plan = found.plan
        result = Result(plan, local=local)
        if found.action in ("create", "replace"):
            self.bucket(plan)
            upload_step(self.steps, plan, self.target, self.versions)
            self.model(plan)
        operation = self.version(plan, found)
        if operation is not None:
            if not wait:
                self.steps.skip("wait", f"--async: {_reattach(operation)}")
            if not wait or not self.wait(operation):
                self.leave(plan)
                return dataclasses.replace(result, operation=operation)
        version = self.describe(plan)
        return dataclasses.replace(result, version=version, operation=operation, online=self.predict(plan, local))

    def look(self) -> ModelDir | None:
        with self.steps("look") as step:
            if self.deployment.is_remote:
                step.skip(_("the model lies at {origin} already", origin=self.deployment.origin))
                return None
            place = resolve_plan(self.deployment)
            if place.note:
                step.note(place.note)
            model_dir = inspect_model_dir(place.path)
            if self.body is not None and not self.deployment.version.predictionClass:
                preload_worker(self.deployment.version.framework or model_dir.framework)
            for left_out in model_dir.left_out[:5]:
                step.note(_("left out: {file}", file=left_out))
            step.done(file_summary(model_dir), model_dir)
            return model_dir

    def connect(self, plan: Plan) -> VersionDecision:
        with self.steps("target") as step:
            about = self.target.connect()
            model = self.find_model(plan)
            versions = self.target.client.list_versions(plan.model.id) if model else []
            self.versions = versions
            found = resolve_version(plan, self.target, versions)
            report = check_online(found, self.target, model, versions)
            report.raise_on_errors()
            report_findings(step, report)
            if found.action != "keep" and plan.version.framework:
                self.target.warm(plan.version.framework)
            for choice in found.plan.choices[len(plan.choices) :]:
                step.note(f"{choice.field}: {choice.value} ({choice.source})")
            step.done(about)
            return found

    def find_model(self, plan: Plan) -> Model | None:
        return self.target.client.find_model(plan.model.id)

    def bucket(self, plan: Plan) -> None:
        with self.steps("bucket") as step:
            if plan.bucket is None:
                step.skip(_("the model lies at {origin} already", origin=self.deployment.origin))
                return
            location = (plan.model.regions or (self.target.default_region,))[0]
            found = ensure_bucket(self.target.store, plan.bucket, project=self.target.project, location=location)
            step.done(found.told, found)

    def model(self, plan: Plan) -> None:
        with self.steps("model") as step:
            model = self.find_model(plan)
            if model is not None:
                step.done(_("{name} is there", name=model.name), model)
            else:
                model = self.target.client.create_model(plan.model)
                step.done(_("{name} is made", name=model.name), model)

    def version(self, plan: Plan, found: VersionDecision) -> Operation | None:
        with self.steps("version") as step:
            if found.action == "keep":
                step.skip(_("{version} is READY and the same: nothing to do", version=plan.version.id))
                return None
            if found.action == "wait":
                step.done(_("{version} is being created already", version=plan.version.id), found.version)
                return found.operation
            if found.action == "replace":
                step.note(
                    _("{version} {reason}: deleted, to be made anew", version=plan.version.id, reason=found.reason),
                    "warning",
                )
                self.target.client.wait(
                    self.target.client.delete_version(plan.model.id, plan.version.id), sleep=self.sleep
                )
            operation = self.target.client.create_version(plan.model.id, plan.sent)
            step.done(
                _(
                    "{model}/{version} is being created: {operation}",
                    model=plan.model.id,
                    version=plan.version.id,
                    operation=operation.name,
                ),
                operation,
            )
            return operation

    def wait(self, operation: Operation) -> bool:
        """True when the operation is done; False when the user stopped waiting."""
        with self.steps("wait") as step:
            shown = None

            def on_poll(now: Operation) -> None:
                nonlocal shown
                step.emit(Heartbeat("wait"))
                state = now.metadata.version.state if now.metadata and now.metadata.version else None
                if state and state != shown:
                    shown = state
                    step.note(_("state: {state}", state=state))

            try:
                self.target.client.wait(operation, on_poll=on_poll, sleep=self.sleep)
            except KeyboardInterrupt:
                step.detach(Detached("wait", operation.name or "", _reattach(operation)))
                return False
            except OperationFailed as error:
                fix = _("mend the model and run the same again: the failed version is made anew")
                error.fix = error.fix or fix
                raise
            step.done(_("done"))
            return True

    def leave(self, plan: Plan) -> None:
        """Nobody waits for the operation: tell what only a version that is READY can be told."""
        for field in plan.sent_later:
            text = _("{field} is not set yet: run the same again once the version is READY", field=field)
            self.steps.emit(Note("wait", text, "warning"))

    def describe(self, plan: Plan) -> Version:
        with self.steps("describe") as step:
            client = self.target.client
            version = client.get_version(plan.model.id, plan.version.id)
            there = version.to_json()
            changed = {field: value for field, value in plan.in_place.items() if there.get(field) != value}
            if changed:
                client.wait(client.update_version(plan.model.id, version.id, changed, list(changed)), sleep=self.sleep)
                step.note(_("set by an update: {fields}", fields=", ".join(changed)))
                version = client.get_version(plan.model.id, version.id)
            step.done(f"{version.id}: {version.state}", version)
            return version

    def predict(self, plan: Plan, local: dict[str, Any] | None) -> dict[str, Any] | None:
        with self.steps("predict") as step:
            if self.body is None:
                step.skip(_("no test instances were given"))
                return None
            online = self.target.client.predict(plan.model.id, self.body, plan.version.id)
            differs = difference(local, online) if local is not None else None
            if differs:
                raise PredictionError(
                    "INVALID_OUTPUTS",
                    _("the served version answers otherwise than the model does locally: {differs}", differs=differs),
                    where=f"{plan.model.id}/{plan.version.id}",
                    fix=_("compare the library versions of both (%aip_describe shows the runtime)"),
                )
            summary = summarize_findings(online.get("predictions") or [])
            if local is not None:
                summary = _("{predictions}, equal to the local ones", predictions=summary)
            step.done(summary, online)
            return online


def _reattach(operation: Operation) -> str:
    return f"%aip_attach {operation.name}"

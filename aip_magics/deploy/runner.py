"""Run a deployment, step by step. Each step emits events; reporters show them.

The order of the steps is that of `_DeployRun.run`: inspect → check → (environment) → connect → resolve → try → bucket →
upload → model → version → wait → describe → predict.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from aip_magics.artifacts import ModelDir, inspect_model_dir
from aip_magics.checks.context import TrialResult
from aip_magics.data_directory import file_error
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.plan import Plan, make_plan, with_requests
from aip_magics.deploy.prediction_diff import difference
from aip_magics.deploy.preflight import (
    build_plan,
    check_plan,
    check_step,
    environment_step,
    find_model_dir,
    report_findings,
    summarize_predictions,
    trial_step,
)
from aip_magics.deploy.resolve import resolve_deployment_uri, resolve_version
from aip_magics.deploy.service_view import check_online
from aip_magics.deploy.steps import Emit, Step, Steps, file_summary
from aip_magics.deploy.trial import TrialRunner, preload_worker, run_trial_locally
from aip_magics.deploy.trial_memory import has_similar, passed_time
from aip_magics.deploy.upload_step import upload_step
from aip_magics.deploy.version_diff import VersionDecision
from aip_magics.errors import AipError, Interrupted, OperationFailed, PredictionError
from aip_magics.events import Detached, Heartbeat, Note
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version
from aip_magics.storage import ensure_bucket
from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of a run.

    `version` is None if the run did not wait for `operation`. `local` and `online` are the answers to the test request.
    """

    plan: Plan
    version: Version | None = None
    operation: Operation | None = None
    local: dict[str, Any] | None = None
    online: dict[str, Any] | None = None


def dry_run(deployment: Deployment, target: Target) -> Plan:
    """Inspect and check the files and return the plan with all its requests. No request is sent.

    An omitted version name becomes `v1`, because only the target knows the next free name.

    Raises:
        ChecksFailed: The checks found an error.
    """
    plan = build_plan(deployment, target)
    check_plan(plan, target).raise_on_errors()
    source = "" if plan.version.name else _("first version (a dry run does not contact the target)")
    return with_requests(resolve_deployment_uri(plan, target, plan.version.name or "v1", source), target)


def run(
    deployment: Deployment,
    target: Target,
    emit: Emit,
    *,
    trial_runner: TrialRunner = run_trial_locally,
    wait: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Deploy a model, from the inspection of its files to the first online prediction.

    Every step can be repeated: existing objects, models and versions are reused.

    Args:
        deployment: What the user requested.
        target: Where to deploy; connected by the run.
        emit: Gets an event for everything that happens, and a `Failed` event before an error is raised.
        trial_runner: Runs the local trial.
        wait: Whether to wait for the operation that creates the version.
        sleep: Waits between two polls of the operation.

    Returns:
        The result. After an interrupt while waiting it has the operation, which keeps running.

    Raises:
        AipError: The error that stopped a step.
        Interrupted: The user interrupted another step than the wait.
    """
    steps = Steps(emit)
    try:
        return _DeployRun(deployment, target, steps, trial_runner, sleep).run(wait)
    except KeyboardInterrupt:
        error = Interrupted(_("interrupted by the user"), where=steps.title, fix=_("run the command again to resume"))
        steps.fail(error)
        raise error from None
    except AipError as error:
        steps.fail(error)
        raise
    except OSError as error:
        failure = file_error(error, target.settings.data_dir)
        steps.fail(failure)
        raise failure from error


class _DeployRun:
    """One run: a method for each step, in the order of `run`."""

    def __init__(
        self,
        deployment: Deployment,
        target: Target,
        steps: Steps,
        trial_runner: TrialRunner,
        sleep: Callable[[float], None],
    ) -> None:
        self.deployment = deployment
        self.target = target
        self.steps = steps
        self.trial_runner = trial_runner
        self.sleep = sleep
        self.body = deployment.test_request()
        self.versions: list[Version] = []  # of the model at the target, set by `connect`

    def run(self, wait: bool) -> Result:
        model_dir = self.inspect()
        plan = make_plan(self.deployment, self.target, model_dir)
        check_step(self.steps, plan, self.target)
        environment = environment_step(self.steps, plan, self.target)
        # Before the trial: the embedded server imports the framework at the same time as the local worker.
        decision = self.connect(plan)
        trial = trial_step(self.steps, plan, self.target, self.trial_runner, environment)
        local = {"predictions": trial.predictions} if trial else None
        plan = decision.plan
        result = Result(plan, local=local)
        if decision.action in ("create", "replace"):
            self.bucket(plan)
            upload_step(self.steps, plan, self.target, self.versions)
            self.model(plan)
        operation = self.version(plan, decision)
        if operation is not None:
            if not wait:
                self.steps.skip("wait", f"--async: {_reattach(operation)}")
            if not wait or not self.wait(operation):
                self.warn_of_pending_updates(plan)
                return dataclasses.replace(result, operation=operation)
        version = self.describe(plan)
        online = self.predict(plan, version, trial)
        return dataclasses.replace(result, version=version, operation=operation, online=online)

    def inspect(self) -> ModelDir | None:
        """Inspect the local model files; None for a model in Cloud Storage."""
        with self.steps("look") as step:
            if self.deployment.is_remote:
                step.skip(_("the model is already in Cloud Storage: {origin}", origin=self.deployment.origin))
                return None
            export = find_model_dir(self.deployment)
            if export.note:
                step.note(export.note)
            model_dir = inspect_model_dir(export.path, include=self.deployment.include)
            served_here = self.deployment.env == "current"
            if served_here and not self.deployment.version.predictionClass and self.will_try(model_dir):
                preload_worker(self.deployment.version.framework or model_dir.framework)
            for left_out in model_dir.left_out[:5]:
                step.note(_("skipped: {file}", file=left_out))
            step.done(file_summary(model_dir), model_dir)
            return model_dir

    def will_try(self, model_dir: ModelDir) -> bool:
        """Whether the local trial will probably run: the framework of a reused one is not worth the import."""
        if self.body is None or self.deployment.force_trial:
            return self.body is not None
        return not has_similar(model_dir.path, self.body, self.target.settings.data_dir)

    def connect(self, plan: Plan) -> VersionDecision:
        """Connect, list the model's versions, and resolve the plan against them."""
        with self.steps("target") as step:
            summary = self.target.connect()
            model = self.find_model(plan)
            self.versions = list(self.target.client.list_versions(plan.model.id)) if model else []
            decision = self.resolve(plan, model, step)
            step.done(summary)
            return decision

    def resolve(self, plan: Plan, model: Model | None, step: Step) -> VersionDecision:
        """Name the version, derive its deploymentUri, and check the result against the service."""
        decision = resolve_version(plan, self.target, self.versions)
        report = check_online(decision, self.target, model, self.versions)
        report.raise_on_errors()
        report_findings(step, report)
        if decision.action != "keep" and plan.version.framework:
            self.target.preload(plan.version.framework)
        for choice in decision.plan.choices[len(plan.choices) :]:
            step.note(f"{choice.field}: {choice.value} ({choice.source})")
        return decision

    def find_model(self, plan: Plan) -> Model | None:
        return self.target.client.find_model(plan.model.id)

    def bucket(self, plan: Plan) -> None:
        with self.steps("bucket") as step:
            if plan.bucket is None:
                step.skip(_("the model is already in Cloud Storage: {origin}", origin=self.deployment.origin))
                return
            location = (plan.model.regions or (self.target.default_region,))[0]
            bucket = ensure_bucket(
                self.target.storage_client, plan.bucket, project=self.target.project, location=location
            )
            step.done(bucket.summary, bucket)

    def model(self, plan: Plan) -> None:
        with self.steps("model") as step:
            model = self.find_model(plan)
            if model is not None:
                step.done(_("using existing {name}", name=model.name), model)
            else:
                model = self.target.client.create_model(plan.model)
                step.done(_("created {name}", name=model.name), model)

    def version(self, plan: Plan, decision: VersionDecision) -> Operation | None:
        """Create or replace the version; the operation to wait for, or None for a version that is kept."""
        with self.steps("version") as step:
            if decision.action == "keep":
                step.skip(_("{version} is READY and unchanged: nothing to do", version=plan.version.id))
                return None
            if decision.action == "wait":
                step.done(_("{version} is already being created", version=plan.version.id), decision.version)
                return decision.operation
            if decision.action == "replace":
                step.note(
                    _("deleting and recreating {version}: {reason}", version=plan.version.id, reason=decision.reason),
                    "warning",
                )
                self.target.client.wait(
                    self.target.client.delete_version(plan.model.id, plan.version.id), sleep=self.sleep
                )
            if cost := self.target.cost_note(plan.version):
                step.note(cost)
            operation = self.target.client.create_version(plan.model.id, plan.create_fields, plan.model)
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
        """Wait until the operation is done; False if the user interrupts the wait."""
        with self.steps("wait") as step:
            try:
                for update in self.target.client.watch(operation, sleep=self.sleep):
                    step.emit(Heartbeat("wait"))
                    if update.new_state:
                        step.note(_("state: {state}", state=update.new_state))
            except KeyboardInterrupt:
                step.detach(Detached("wait", operation.name or "", _reattach(operation)))
                return False
            except OperationFailed as error:
                fix = _("fix the model and run the command again; the failed version is recreated")
                error.fix = error.fix or fix
                raise
            step.done(_("done"))
            return True

    def warn_of_pending_updates(self, plan: Plan) -> None:
        """Warn of fields that can only be set once the version is READY, because the run does not wait for that."""
        for field in plan.post_ready_updates:
            text = _("{field} is not set yet: run the command again once the version is READY", field=field)
            self.steps.emit(Note("wait", text, "warning"))

    def describe(self, plan: Plan) -> Version:
        """Update the fields that differ, and return the version as the service describes it."""
        with self.steps("describe") as step:
            client = self.target.client
            version = client.get_version(plan.model.id, plan.version.id)
            current = version.to_json()
            changed = {field: value for field, value in plan.mutable_fields.items() if current.get(field) != value}
            if changed:
                client.wait(client.update_version(plan.model.id, version.id, changed, list(changed)), sleep=self.sleep)
                step.note(_("set by an update: {fields}", fields=", ".join(changed)))
                version = client.get_version(plan.model.id, version.id)
            step.done(f"{version.id}: {version.state}", version)
            return version

    def predict(self, plan: Plan, version: Version, trial: TrialResult | None) -> dict[str, Any] | None:
        """Predict the test instances online. PredictionError if the answer differs from that of the local `trial`."""
        with self.steps("predict") as step:
            if self.body is None:
                step.skip(_("no test instances were given"))
                return None
            if reason := self.target.cannot_ask(version):
                step.skip(reason)
                return None
            online = self.target.client.predict(plan.model.id, self.body, plan.version.id)
            summary = summarize_predictions(online.get("predictions") or [])
            if trial is not None:
                summary = _compare(plan, trial, online, summary)
            step.done(summary, online)
            return online


def _compare(plan: Plan, trial: TrialResult, online: dict[str, Any], summary: str) -> str:
    """Add to the summary that the online predictions are those of the trial; PredictionError if they are not."""
    time = passed_time(trial) if trial.passed_at is not None else ""
    # Vertex AI's answer has other members, too, which name the version.
    if differs := difference({"predictions": trial.predictions}, {"predictions": online.get("predictions")}):
        text = _("online and local predictions differ: {differs}", differs=differs)
        fix = _("compare the library versions of both sides (%aip_describe shows the runtime)")
        if time:
            text = _("online predictions and local predictions of {time} differ: {differs}", time=time, differs=differs)
            fix = _("add --try to run the local trial again")
        raise PredictionError("INVALID_OUTPUTS", text, where=f"{plan.model.id}/{plan.version.id}", fix=fix)
    if time:
        return _("{predictions}, identical to the local predictions of {time}", predictions=summary, time=time)
    return _("{predictions}, identical to the local predictions", predictions=summary)


def _reattach(operation: Operation) -> str:
    return f"%aip_attach {operation.name}"

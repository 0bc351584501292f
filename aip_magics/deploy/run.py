"""Running a deployment: the only place where the steps meet. Each step emits its events; nothing is printed here."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any, Literal

from aip_magics import checks
from aip_magics.artifacts import ModelDir, Resolved, look, resolve_export
from aip_magics.deploy.compare import difference
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.existing import Found, settle_version
from aip_magics.deploy.plan import Plan, local_origin, make_plan, name_version, with_requests
from aip_magics.deploy.steps import Emit, Steps, file_summary, size
from aip_magics.deploy.trial import Trial, predict_here, trial_of, warm_here
from aip_magics.errors import AipError, Interrupted, OperationFailed, PredictionError
from aip_magics.events import Detached, Progress, Tick
from aip_magics.spec import Model, Operation, Version
from aip_magics.storage import UploadPlan, ensure_bucket, listing, plan_upload, upload
from aip_magics.targets import Target

LocalPredict = Callable[[Trial], "dict[str, Any]"]  # -> {"predictions": [...]}


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
    model_dir = None if deployment.is_remote else look(_resolved(deployment).path)
    plan = make_plan(deployment, target, model_dir)
    checks.run(_subject(plan, target), skip=deployment.skip).raise_on_errors()
    source = "" if plan.version.name else "first version (a dry run does not ask the target)"
    return with_requests(name_version(plan, target, plan.version.name or "v1", source), target)


def run(
    deployment: Deployment,
    target: Target,
    emit: Emit,
    *,
    local_predict: LocalPredict = predict_here,
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
        return _Run(deployment, target, steps, local_predict, sleep).all(wait)
    except KeyboardInterrupt:
        error = Interrupted("stopped by you", where=steps.title, fix="run the same again: it continues from there")
        steps.fail(error)
        raise error from None
    except AipError as error:
        steps.fail(error)
        raise


class _Run:
    def __init__(
        self,
        deployment: Deployment,
        target: Target,
        steps: Steps,
        local_predict: LocalPredict,
        sleep: Callable[[float], None],
    ) -> None:
        self.deployment = deployment
        self.target = target
        self.steps = steps
        self.local_predict = local_predict
        self.sleep = sleep
        self.body = deployment.test_request()

    def all(self, wait: bool) -> Result:
        model_dir = self.look()
        plan = self.check(make_plan(self.deployment, self.target, model_dir))
        # Before the try: the embedded server imports the framework while the local worker does.
        found = self.connect(plan)
        local = self.try_locally(plan)
        plan = found.plan
        result = Result(plan, local=local)
        if found.action in ("create", "replace"):
            self.bucket(plan)
            self.upload(plan)
            self.model(plan)
        operation = self.version(plan, found)
        if operation is not None:
            if not wait:
                self.steps.skip("wait", f"--async: {_reattach(operation)}")
                return dataclasses.replace(result, operation=operation)
            if not self.wait(operation):
                return dataclasses.replace(result, operation=operation)
        version = self.describe(plan)
        return dataclasses.replace(result, version=version, operation=operation, online=self.predict(plan, local))

    def look(self) -> ModelDir | None:
        with self.steps("look") as step:
            if self.deployment.is_remote:
                step.skip(f"the model lies at {self.deployment.origin} already")
                return None
            resolved = _resolved(self.deployment)
            if resolved.note:
                step.note(resolved.note)
            model_dir = look(resolved.path)
            if self.body is not None and not self.deployment.version.predictionClass:
                warm_here(self.deployment.version.framework or model_dir.framework)
            for left_out in model_dir.left_out[:5]:
                step.note(f"left out: {left_out}")
            step.done(file_summary(model_dir), model_dir)
            return model_dir

    def check(self, plan: Plan) -> Plan:
        with self.steps("checks") as step:
            for choice in plan.choices:
                step.note(f"{choice.field}: {choice.value} ({choice.source})")
            report = checks.run(_subject(plan, self.target), skip=self.deployment.skip)
            report.raise_on_errors()
            for finding in report.findings:
                level: Literal["info", "warning"] = "warning" if finding.severity == "warning" else "info"
                step.note(f"{finding.severity} {finding.id}: {finding.message}", level)
            warnings = len(report.findings)
            step.done(f"passed{f', {warnings} to read' if warnings else ''}", report)
        return plan

    def try_locally(self, plan: Plan) -> dict[str, Any] | None:
        with self.steps("try") as step:
            if self.body is None:
                step.skip("no test: instances were given")
                return None
            trial = trial_of(plan, self.target, self.body)
            if isinstance(trial, str):
                step.skip(trial)
                return None
            answer = self.local_predict(trial)
            step.done(_predictions(answer), answer)
            return answer

    def connect(self, plan: Plan) -> Found:
        with self.steps("target") as step:
            about = self.target.connect()
            versions = self.target.client.list_versions(plan.model.id) if self.find_model(plan) else []
            found = settle_version(plan, self.target, versions)
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
                step.skip(f"the model lies at {self.deployment.origin} already")
                return
            location = (plan.model.regions or (self.target.default_region,))[0]
            made, place = ensure_bucket(self.target.storage, plan.bucket, location)
            if place and place != location:
                step.note(f"the bucket is in {place}, the model's region is {location}", "warning")
            step.done(f"gs://{plan.bucket} {'made' if made else 'is there'} ({place})")

    def upload(self, plan: Plan) -> None:
        with self.steps("upload") as step:
            works = self.uploads(plan)
            if not works:
                step.skip(f"the model lies at {self.deployment.origin} already")
                return
            total = sum(work.bytes_to_send for work in works)
            sent = 0

            def on_bytes(count: int, name: str) -> None:
                nonlocal sent
                sent += count
                step.emit(Progress("upload", sent, total, "bytes", name))

            for work in works:
                upload(self.target.storage, work, on_bytes)
            kept = sum(len(work.keep) for work in works)
            unchanged = f", {kept} unchanged" if kept else ""
            count = sum(len(work.send) for work in works)
            step.done(f"{count} sent ({size(total)}){unchanged} → {works[0].destination}", works[0])

    def uploads(self, plan: Plan) -> list[UploadPlan]:
        """What is to be sent: the model directory, and each package under its content."""
        storage, works = self.target.storage, []
        if plan.upload_to is not None and plan.model_dir is not None:
            works.append(plan_upload(plan.model_dir.files, plan.upload_to, listing(storage, plan.upload_to)))
        for file in plan.packages:
            work = plan_upload([file], file.destination, listing(storage, file.destination))
            works.append(dataclasses.replace(work, remove=()))  # what else lies there is not ours
        return works

    def model(self, plan: Plan) -> None:
        with self.steps("model") as step:
            model = self.find_model(plan)
            made = model is None
            model = model or self.target.client.create_model(plan.model)
            step.done(f"{model.name} {'made' if made else 'is there'}", model)

    def version(self, plan: Plan, found: Found) -> Operation | None:
        with self.steps("version") as step:
            if found.action == "keep":
                step.skip(f"{plan.version.id} is READY and the same: nothing to do")
                return None
            if found.action == "wait":
                step.done(f"{plan.version.id} is being created already", found.version)
                return found.operation
            if found.action == "replace":
                step.note(f"{plan.version.id} {found.reason}: deleted, to be made anew", "warning")
                self.target.client.wait(
                    self.target.client.delete_version(plan.model.id, plan.version.id), sleep=self.sleep
                )
            operation = self.target.client.create_version(plan.model.id, plan.version)
            step.done(f"{plan.model.id}/{plan.version.id} is being created: {operation.name}", operation)
            return operation

    def wait(self, operation: Operation) -> bool:
        """True when the operation is done; False when the user stopped waiting."""
        with self.steps("wait") as step:
            shown = None

            def on_poll(now: Operation) -> None:
                nonlocal shown
                step.emit(Tick("wait"))
                state = now.metadata.version.state if now.metadata and now.metadata.version else None
                if state and state != shown:
                    shown = state
                    step.note(f"state: {state}")

            try:
                self.target.client.wait(operation, on_poll=on_poll, sleep=self.sleep)
            except KeyboardInterrupt:
                step.detach(Detached("wait", operation.name or "", _reattach(operation)))
                return False
            except OperationFailed as error:
                error.fix = error.fix or "mend the model and run the same again: the failed version is made anew"
                raise
            step.done("done")
            return True

    def describe(self, plan: Plan) -> Version:
        with self.steps("describe") as step:
            version = self.target.client.get_version(plan.model.id, plan.version.id)
            step.done(f"{version.id}: {version.state}", version)
            return version

    def predict(self, plan: Plan, local: dict[str, Any] | None) -> dict[str, Any] | None:
        with self.steps("predict") as step:
            if self.body is None:
                step.skip("no test: instances were given")
                return None
            online = self.target.client.predict(plan.model.id, self.body, plan.version.id)
            differs = difference(local, online) if local is not None else None
            if differs:
                raise PredictionError(
                    "INVALID_OUTPUTS",
                    f"the served version answers otherwise than the model does locally: {differs}",
                    where=f"{plan.model.id}/{plan.version.id}",
                    fix="compare the library versions of both (%aip_describe shows the runtime)",
                )
            same = ", equal to the local ones" if local is not None else ""
            step.done(_predictions(online) + same, online)
            return online


def _resolved(deployment: Deployment) -> Resolved:
    """The local directory that is deployed: of an export base its newest export."""
    origin, version = local_origin(deployment), deployment.version
    if version.predictionClass or version.container:  # own code may want any directory
        return Resolved(origin)
    return resolve_export(origin)


def _subject(plan: Plan, target: Target) -> checks.Subject:
    return checks.Subject(
        model=plan.model,
        version=plan.version,
        model_dir=plan.model_dir,
        target=checks.TargetKind(kind=target.kind, region=target.region, endpoint=target.endpoint),
        test_request=plan.deployment.test_request(),
    )


def _predictions(answer: dict[str, Any]) -> str:
    predictions = answer.get("predictions") or []
    text = json.dumps(predictions[:3], ensure_ascii=False)
    short = text if len(text) <= 60 else f"{text[:60]}…"
    return f"{len(predictions)} predictions: {short}" if len(predictions) != 1 else f"1 prediction: {short}"


def _reattach(operation: Operation) -> str:
    return f"%aip_attach {operation.name}"

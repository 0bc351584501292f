"""The checks of a deployment: the rules over its fields and files, and over a try of the model in a worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

from aip_magics import checks
from aip_magics.artifacts import ResolvedExport, inspect_model_dir, resolve_export
from aip_magics.checks import CheckContext, Failed, Passed, Report, Skipped
from aip_magics.checks.context import TrialResult
from aip_magics.checks.rules.trial_results import TRIAL_RULES, shape
from aip_magics.checks.trust import TRUST_QUESTIONS, is_trusted
from aip_magics.deploy import package_uploads, trust_store
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.plan import Plan, local_origin, make_plan
from aip_magics.deploy.steps import Step, Steps
from aip_magics.deploy.trial import Trial, TrialRunner, build_trial, run_trial_locally
from aip_magics.errors import ChecksFailed, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Target
from aip_magics.trust import Trust


def check_deployment(deployment: Deployment, target: Target) -> Report:
    """What is known to fail, from the fields and files alone: nothing is contacted, nothing of the model is run.

    Errors: ModelDirError where there is no model directory; OptionError where `skip` names a check that does not exist,
    or cannot be left out. All else that is wrong is a finding.
    """
    return check_plan(build_plan(deployment, target), target)


def check_with_trial(deployment: Deployment, target: Target, *, attempt: TrialRunner = run_trial_locally) -> Report:
    """What `check_deployment` finds, and how the model does with the test instances where there are some.

    The model is loaded in a worker process, and only where all that this would run is trusted. What lies in Cloud
    Storage is downloaded for it: StorageError, ServerError where it cannot be.
    """
    plan = build_plan(deployment, target)
    report = check_plan(plan, target)
    if deployment.test is None or any(one.id in TRUST_QUESTIONS for one in report.findings):
        return report
    if needs_download(plan):
        target.connect()
    try:
        tried = run_trial(plan, target, attempt)
    except ChecksFailed as distrusted:
        found = {id: tuple(one for one in distrusted.findings if one.id == id) for id in TRUST_QUESTIONS}
        return report.updated(Report.of({id: Failed(findings) for id, findings in found.items() if findings}))
    if isinstance(tried, TrialResult):
        # Of what was downloaded it is known only now.
        report = report.updated(Report.of({id: Passed() for id in TRUST_QUESTIONS}))
    return report.updated(check_trial(plan, target, tried))


def run_trial(plan: Plan, target: Target, attempt: TrialRunner = run_trial_locally) -> TrialResult | Skipped:
    """How the model does with the test instances in a worker of this machine; Skipped where it is too large to fetch.

    ChecksFailed where it would run what is not trusted: then it is not loaded.
    """
    if plan.version.container is not None:
        return Skipped(_("a container is not tried here"))
    trial = build_trial(plan, target, plan.deployment.test_request() or b"")
    if isinstance(trial, str):
        return Skipped(trial)
    return attempt(check_trust(plan, target, trial))


def build_plan(deployment: Deployment, target: Target) -> Plan:
    """The plan of a deployment, from a look at its files. ModelDirError where there are none."""
    model_dir = None if deployment.is_remote else inspect_model_dir(resolve_plan(deployment).path)
    return make_plan(deployment, target, model_dir)


def resolve_plan(deployment: Deployment) -> ResolvedExport:
    """The local directory that is deployed: of an export base its newest export."""
    origin, version = local_origin(deployment), deployment.version
    if version.predictionClass or version.container:  # own code may want any directory
        return ResolvedExport(origin)
    return resolve_export(origin)


def check_plan(plan: Plan, target: Target) -> Report:
    """The rules over a plan. `--trust` is remembered here."""
    if asked := next((id for id in TRUST_QUESTIONS if id in plan.deployment.skip), None):
        text = _("{id} is not left out: what loading the model runs has to be trusted", id=asked)
        raise OptionError(text, where="--skip", fix="--trust")
    subject = trust_store.with_trust(
        build_check_context(plan, target), target.settings.data_dir, vouched=plan.deployment.trust
    )
    report = checks.run(subject, skip=plan.deployment.skip)
    return dataclasses.replace(report, strict=plan.deployment.strict)


def check_trust(plan: Plan, target: Target, trial: Trial) -> Trial:
    """The rules of trust over the very files that are to be loaded: the trial, with what is trusted.

    ChecksFailed where they find something.
    """
    version = plan.version.replace(packageUris=tuple(map(str, trial.packages)) or None)
    subject = dataclasses.replace(
        build_check_context(plan, target), version=version, model_dir=inspect_model_dir(trial.model_dir)
    )
    subject = trust_store.require(subject, target.settings.data_dir, vouched=plan.deployment.trust)
    trust = subject.trust or Trust()
    return dataclasses.replace(
        trial,
        trusted=is_trusted(subject),
        trusted_modules=tuple(sorted(trust.modules)),
        trusted_files=frozenset(trust.files),
    )


def check_trial(plan: Plan, target: Target, tried: TrialResult | Skipped) -> Report:
    """The rules over a try."""
    subject = dataclasses.replace(build_check_context(plan, target), tried=tried)
    wanted = [id for id in TRIAL_RULES if id not in plan.deployment.skip]
    return Report.of({id: checks.RULES[id].apply(subject) for id in wanted}, strict=plan.deployment.strict)


def needs_download(plan: Plan) -> bool:
    """Whether some of what is tried lies in Cloud Storage."""
    return plan.model_dir is None or any(map(package_uploads.is_remote, plan.version.packageUris or ()))


def build_check_context(plan: Plan, target: Target) -> CheckContext:
    """What the rules look at."""
    return CheckContext(
        model=plan.model,
        version=plan.version,
        model_dir=plan.model_dir,
        target=checks.TargetKind(kind=target.kind, region=target.region, endpoint=target.endpoint),
        test_request=plan.deployment.test_request(),
    )


def check_step(steps: Steps, plan: Plan, target: Target) -> None:
    """The step `checks` of a run: tells the choices and the findings. ChecksFailed with all errors at once."""
    with steps("checks") as step:
        for choice in plan.choices:
            step.note(f"{choice.field}: {choice.value} ({choice.source})")
        report = check_plan(plan, target)
        report.raise_on_errors()
        report_findings(step, report)
        count = len(report.findings)
        step.done(_("passed, {count} to read", count=count) if count else _("passed"), report)


def trial_step(steps: Steps, plan: Plan, target: Target, attempt: TrialRunner) -> dict[str, Any] | None:
    """The step `try` of a run: what the model answers here, `{"predictions": […]}`; None where it is not tried.

    PredictionError where the model is at fault, ChecksFailed where it is not trusted, or an answer is at fault.
    """
    with steps("try") as step:
        if plan.deployment.test is None:
            _check_unseen(plan, target)
            step.skip(_("no test instances were given"))
            return None
        tried = run_trial(plan, target, attempt)
        if isinstance(tried, Skipped):
            step.skip(tried.reason)
            return None
        report = check_trial(plan, target, tried)
        if tried.error is not None and report.errors:
            raise tried.error  # it says what its finding does, and has the log of the model
        report.raise_on_errors()
        report_findings(step, report)
        if tried.predictions is None:
            step.skip(_("what it refused was left out with --skip"))
            return None
        answer = {"predictions": tried.predictions}
        step.done(summarize_findings(tried.predictions), answer)
        return answer


def _check_unseen(plan: Plan, target: Target) -> None:
    """The embedded server loads the model on this machine: what lies in Cloud Storage is looked at before it does."""
    if target.kind == "local" and needs_download(plan):
        trial = build_trial(plan, target, b"")
        if not isinstance(trial, str):
            check_trust(plan, target, trial)


def report_findings(step: Step, report: Report) -> None:
    """Tell the findings of a report as notes of a step."""
    severities = {"error": _("error"), "advice": _("advice")}  # a face marks a warning itself
    for finding in report.findings:
        level: Literal["info", "warning"] = "warning" if finding.severity == "warning" else "info"
        named = f"{finding.id}: {finding.message}"
        step.note(named if level == "warning" else f"{severities[finding.severity]} {named}", level)


def summarize_findings(predictions: Sequence[Any]) -> str:
    """`3 predictions, each number[2]: [[0.1, 0.9], …`: how many, their shape where it is one, and the first of them."""
    text = json.dumps(predictions[:3], ensure_ascii=False)
    short = text if len(text) <= 60 else f"{text[:60]}…"
    if len(predictions) == 1:
        return _("1 prediction: {values}", values=short)
    shapes = {shape(one) for one in predictions}
    only = shapes.pop() if len(shapes) == 1 else ""
    if only.endswith(("]", "}")):
        return _("{count} predictions, each {shape}: {values}", count=len(predictions), shape=only, values=short)
    return _("{count} predictions: {values}", count=len(predictions), values=short)

"""Preflight checks of a deployment: rules over its fields and files, and over a local trial of the model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from aip_magics import catalog, checks
from aip_magics.artifacts import ResolvedExport, inspect_model_dir, resolve_export
from aip_magics.checks import CheckContext, Failed, Passed, Report, Skipped
from aip_magics.checks.context import TrialResult
from aip_magics.checks.rules.trial_results import shape, trial_rules
from aip_magics.checks.trust import TRUST_QUESTIONS, is_trusted, needs_no_trust
from aip_magics.deploy import package_uploads, trust_store
from aip_magics.deploy.deployment import Deployment
from aip_magics.deploy.plan import Plan, local_origin, make_plan
from aip_magics.deploy.steps import Step, Steps
from aip_magics.deploy.trial import Trial, TrialRunner, build_trial, run_trial_locally
from aip_magics.deploy.trial_memory import TrialMemory, passed_time
from aip_magics.errors import ChecksFailed, ModelDirError, OptionError, RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.targets import Target
from aip_magics.trust import Trust

if TYPE_CHECKING:
    from aip_magics.prediction.runtime_setup import PreparedRuntime
    from aip_magics.prediction.subprocess_tools import OnLine


def check_deployment(deployment: Deployment, target: Target) -> Report:
    """Check the fields and files of a deployment. No request is sent and no code of the model runs.

    Returns:
        The report with all findings. A model directory that does not exist or has no files is one of them.

    Raises:
        OptionError: `skip` names an unknown check, or one that cannot be skipped.
    """
    plan, unusable = _inspect_and_plan(deployment, target)
    return check_plan(plan, target, unusable)


def check_with_trial(
    deployment: Deployment,
    target: Target,
    *,
    trial_runner: TrialRunner = run_trial_locally,
    on_line: OnLine | None = None,
) -> Report:
    """Check a deployment as `check_deployment` does and, if it has test instances, run a local trial of the model.

    The model is loaded in a worker process, and only if all code that this runs is trusted. The trial always runs, and
    a later deployment reuses its result. A model in Cloud Storage is downloaded for the trial. `on_line` is called with
    each line of the output of building the trial's environment.

    Returns:
        The report with the findings of both.

    Raises:
        OptionError: As `check_deployment`.
        StorageError, ServerError: The model could not be downloaded.
        RuntimeEnvironmentError: The environment could not be built.
    """
    plan, unusable = _inspect_and_plan(deployment, target)
    report = check_plan(plan, target, unusable)
    if deployment.test is None or unusable or any(one.id in TRUST_QUESTIONS for one in report.findings):
        return report
    if needs_download(plan):
        target.connect()
    environment = prepare_environment(plan, target, on_line)
    try:
        result, found_by_trial = run_trial(plan, target, trial_runner, environment)
    except ChecksFailed as error:
        found = {id: tuple(finding for finding in error.findings if finding.id == id) for id in TRUST_QUESTIONS}
        return report.updated(Report.of({id: Failed(findings) for id, findings in found.items() if findings}))
    if isinstance(result, TrialResult):
        # Downloaded files could not be checked for trust before.
        report = report.updated(Report.of({id: Passed() for id in TRUST_QUESTIONS}))
    return report.updated(found_by_trial)


def prepare_environment(plan: Plan, target: Target, on_line: OnLine | None = None) -> PreparedRuntime | None:
    """Prepare the environment of `--env` without the packages; None for this Python.

    Raises:
        RuntimeEnvironmentError: The environment could not be built, or the model is too large to download.
    """
    from aip_magics.prediction import runtime_setup

    env = plan.deployment.env
    if env == "current":
        return None
    version = plan.version
    if plan.model_dir is None:
        target.connect()
    trial = build_trial(plan, target, b"")
    if isinstance(trial, str):
        raise RuntimeEnvironmentError(trial, where=f"--env {env}", fix=_("download the model directory first"))
    prepared = runtime_setup.prepare_runtime(
        trial.model_dir,
        target.settings.data_dir,
        env=env,
        framework=plan.version.framework,
        runtime_version=version.runtimeVersion,
        python_version=version.pythonVersion if env == "runtime" else None,
        on_line=on_line,
    )
    if isinstance(prepared, runtime_setup.PreparedRuntime):
        return prepared
    raise runtime_setup.unavailable_error(prepared, env)


def run_trial(
    plan: Plan,
    target: Target,
    trial_runner: TrialRunner = run_trial_locally,
    environment: PreparedRuntime | None = None,
    *,
    reuse: bool = False,
) -> tuple[TrialResult | Skipped, Report]:
    """Run the test instances in a local worker, of this Python or of the environment, and check the result.

    A result without errors is remembered. With `reuse` a remembered result of equal inputs takes the place of the run.

    Returns:
        The result, or Skipped for a custom container or a model that is too large to download, and the findings.

    Raises:
        ChecksFailed: Loading the model would run code that is not trusted; the model was not loaded.
    """
    container = plan.version.container
    if container is not None and catalog.prediction_image(container.image or "") is None:
        skipped = Skipped(_("custom containers are not tried locally"))
        return skipped, check_trial(plan, target, skipped)
    trial = build_trial(plan, target, plan.deployment.test_request() or b"")
    if isinstance(trial, str):
        return Skipped(trial), check_trial(plan, target, Skipped(trial))
    trial = check_trust(plan, target, trial)
    if environment is not None:
        trial = dataclasses.replace(trial, python=environment.python)
    memory = TrialMemory(trial, target.settings.data_dir)
    if reuse and (remembered := memory.find()) is not None:
        return remembered, check_trial(plan, target, remembered)
    memory.watch()
    result = trial_runner(trial)
    report = check_trial(plan, target, result)
    if not report.errors:
        memory.remember(result)
    return result, report


def build_plan(deployment: Deployment, target: Target) -> Plan:
    """Inspect the files of a deployment and build its plan. ModelDirError if the model directory is missing."""
    model_dir = None
    if not deployment.is_remote:
        model_dir = inspect_model_dir(find_model_dir(deployment).path, include=deployment.include)
    return make_plan(deployment, target, model_dir)


def _inspect_and_plan(deployment: Deployment, target: Target) -> tuple[Plan, ModelDirError | None]:
    """Build the plan of a deployment, without its files if these cannot be deployed, and return the reason for that."""
    try:
        return build_plan(deployment, target), None
    except ModelDirError as error:
        return make_plan(deployment, target, None), error


def find_model_dir(deployment: Deployment) -> ResolvedExport:
    """Find the local directory to deploy: the newest export if the origin is an export base directory."""
    origin, version = local_origin(deployment), deployment.version
    if version.predictionClass or version.container:  # custom code may use any layout
        return ResolvedExport(origin)
    return resolve_export(origin)


def check_plan(plan: Plan, target: Target, unusable: ModelDirError | None = None) -> Report:
    """Apply the rules to a plan. `--trust` is stored here.

    `unusable` is why there are no files in the plan, if they are local.
    """
    if skipped := next((id for id in TRUST_QUESTIONS if id in checks.rule_ids(plan.deployment.skip)), None):
        text = _(
            "check {id} cannot be skipped: the code that loading the model runs must be trusted",
            id=checks.rule_label(skipped),
        )
        raise OptionError(text, where="--skip", fix="--trust")
    context = dataclasses.replace(build_check_context(plan, target), unusable=unusable)
    context = trust_store.with_trust(context, target.settings.data_dir, vouched=plan.deployment.trust)
    report = checks.run(context, skip=plan.deployment.skip)
    return dataclasses.replace(report, strict=plan.deployment.strict)


def check_trust(plan: Plan, target: Target, trial: Trial) -> Trial:
    """Apply the rules of trust to the files that the trial loads, and return the trial with the trusted content.

    ChecksFailed if loading them would run code that is not trusted.
    """
    version = plan.version.replace(packageUris=tuple(map(str, trial.packages)) or None)
    context = dataclasses.replace(
        build_check_context(plan, target), version=version, model_dir=inspect_model_dir(trial.model_dir, on_disk=True)
    )
    context = trust_store.require(context, target.settings.data_dir, vouched=plan.deployment.trust)
    trust = context.trust or Trust()
    return dataclasses.replace(
        trial,
        trusted=is_trusted(context),
        trusted_modules=tuple(sorted(trust.modules)),
        trusted_files=frozenset(trust.files),
        listed_code_only=needs_no_trust(context),
    )


def check_trial(plan: Plan, target: Target, result: TrialResult | Skipped) -> Report:
    """Apply the rules for a local trial to its result."""
    context = dataclasses.replace(build_check_context(plan, target), trial=result)
    skipped = checks.rule_ids(plan.deployment.skip)
    ids = [id for id in trial_rules(context) if id not in skipped]
    return Report.of({id: checks.RULES[id].apply(context) for id in ids}, strict=plan.deployment.strict)


def needs_download(plan: Plan) -> bool:
    """Whether the trial needs files from Cloud Storage."""
    return plan.model_dir is None or any(map(package_uploads.is_remote, plan.version.packageUris or ()))


def build_check_context(plan: Plan, target: Target) -> CheckContext:
    """Build the input of the rules from a plan."""
    return CheckContext(
        model=plan.model,
        version=plan.version,
        model_dir=plan.model_dir,
        target=target.facts,
        test_request=plan.deployment.test_request(),
        default_machine=not plan.deployment.version.machineType,
        env=plan.deployment.env,
    )


def check_step(steps: Steps, plan: Plan, target: Target) -> None:
    """Run the step `checks`: report the choices and the findings. ChecksFailed has all errors together."""
    with steps("checks") as step:
        for choice in plan.choices:
            step.note(f"{choice.field}: {choice.value} ({choice.source})")
        report = check_plan(plan, target)
        report.raise_on_errors()
        report_findings(step, report)
        count = len(report.findings)
        step.done(_passed(count), report)


def _passed(count: int) -> str:
    return ngettext("passed with {number} finding", "passed with {number} findings", count) if count else _("passed")


def environment_step(steps: Steps, plan: Plan, target: Target) -> PreparedRuntime | None:
    """Run the step `environment`, and serve with its Python; None, without a step, for this Python."""
    if plan.deployment.env == "current":
        return None
    with steps("environment") as step:
        prepared = prepare_environment(plan, target, step.note)
        assert prepared is not None
        target.serve_with(prepared.python)
        step.done(prepared.summary)
        return prepared


def trial_step(
    steps: Steps,
    plan: Plan,
    target: Target,
    trial_runner: TrialRunner,
    environment: PreparedRuntime | None = None,
) -> TrialResult | None:
    """Run the step `try`: predict the test instances locally, or reuse the predictions of an equal trial that passed.

    Returns:
        The result with the predictions of the model, or None if there was no trial.

    Raises:
        PredictionError: The model could not be loaded or did not predict.
        ChecksFailed: The model is not trusted, or a check of the predictions failed.
    """
    with steps("try") as step:
        if plan.deployment.test is None:
            _check_trust_of_remote_files(plan, target)
            step.skip(_("no test instances were given"))
            return None
        reuse = not plan.deployment.force_trial
        result, report = run_trial(plan, target, trial_runner, environment, reuse=reuse)
        if isinstance(result, Skipped):
            step.skip(result.reason)
            return None
        if result.error is not None and report.errors:
            raise result.error  # says the same as its finding and has the log of the model
        report.raise_on_errors()
        report_findings(step, report)
        if result.predictions is None:
            step.skip(_("the check that failed was skipped with --skip"))
            return None
        if result.passed_at is not None:
            text = _(
                "unchanged since the local trial of {time} passed: predictions reused; --try runs it again",
                time=passed_time(result),
            )
            step.skip(text)
        else:
            step.done(summarize_predictions(result.predictions), {"predictions": result.predictions})
        return result


def _check_trust_of_remote_files(plan: Plan, target: Target) -> None:
    """Check the trust of files in Cloud Storage before the embedded server loads them on this machine."""
    if target.runs_here and needs_download(plan):
        trial = build_trial(plan, target, b"")
        if not isinstance(trial, str):
            check_trust(plan, target, trial)


def report_findings(step: Step, report: Report) -> None:
    """Report the findings as notes of a step."""
    severities = {"error": _("error"), "advice": _("advice")}  # reporters mark a warning themselves
    for finding in report.findings:
        level: Literal["info", "warning"] = "warning" if finding.severity == "warning" else "info"
        text = f"{finding.label}: {finding.message}"
        step.note(text if level == "warning" else f"{severities[finding.severity]} {text}", level)


def summarize_predictions(predictions: Sequence[Any]) -> str:
    """Summarize predictions: their number, their common shape and the first values.

    For example `3 predictions, each number[2]: [[0.1, 0.9], …`.
    """
    text = json.dumps(predictions[:3], ensure_ascii=False)
    short = text if len(text) <= 60 else f"{text[:60]}…"
    shapes = {shape(prediction) for prediction in predictions}
    common = shapes.pop() if len(shapes) == 1 else ""
    if len(predictions) > 1 and common.endswith(("]", "}")):
        return _("{count} predictions, each {shape}: {values}", count=len(predictions), shape=common, values=short)
    return ngettext("{number} prediction: {values}", "{number} predictions: {values}", len(predictions), values=short)

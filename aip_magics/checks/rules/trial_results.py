"""Rules about the result of the local trial: the model's predictions for the test instances in a local worker.

The worker answers as the service would; the rules report its errors verbatim. They are skipped without a trial.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext, TrialResult
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import RULES, error, over_limit, rule, warning
from aip_magics.i18n import gettext as _

_LOAD = "FAILED_TO_LOAD_MODEL"
_GB = 1000**3
_SIZES = re.compile(r"(\[\d+\])+$")


_trial_checks: set[Callable[[CheckContext], Outcomes]] = set()


def on_trial(check: Callable[[CheckContext, TrialResult], Outcomes]) -> Callable[[CheckContext], Outcomes]:
    """Decorate a rule about a local trial: skipped if there was none."""

    def checked(context: CheckContext) -> Outcomes:
        if isinstance(context.trial, Skipped):
            return context.trial
        if context.trial is None:
            return Skipped(_("no local trial without test instances"))
        return check(context, context.trial)

    checked.__doc__ = check.__doc__
    _trial_checks.add(checked)
    return checked


def trial_rules(context: CheckContext) -> list[str]:
    """Return the ids of the rules about a local trial that are about the target of the deployment."""
    return [
        id for id, rule in RULES.items() if rule.check in _trial_checks and rule.target in (None, context.target.name)
    ]


@rule("T01", "trial-load-failed", link=links.EXPORTING)
@on_trial
def trial_load_failed(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The model must load in a local worker."""
    return _refusal(trial, _LOAD, _("fix the model files, or provide the missing modules with --package-uris"))


@rule("T02", "trial-instances-rejected", link=links.API_PREDICT)
@on_trial
def trial_instances_rejected(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The model must accept the test instances: names, shapes and types must be those of its inputs."""
    return _refusal(trial, "INVALID_INPUTS", _("match the instances to the model's inputs"))


@rule("T03", "trial-prediction-failed", link=links.API_PREDICT)
@on_trial
def trial_prediction_failed(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The model must predict the test instances without an exception and without ending its process."""
    return _refusal(trial, "FAILED_TO_RUN_MODEL")  # the worker knows the fix, if there is one


@rule("T04", "trial-output-invalid", link=links.API_PREDICT)
@on_trial
def trial_output_invalid(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """There must be one prediction per instance, in JSON: lists, numbers and strings, without NaN and Infinity."""
    return _refusal(trial, "INVALID_OUTPUTS")


@rule("T05", "trial-routine-failed", link=links.ROUTINES)
@on_trial
def trial_routine_failed(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The class of a custom prediction routine must exist, and must have from_path and predict."""
    return _refusal(trial, "INVALID_USER_CODE", _("fix the routine and rebuild its package"))


@rule("T06", "trial-too-slow", link=links.API_PREDICT)
@on_trial
def trial_too_slow(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """Loading and one prediction together must take less than half of the service's time limit for a request."""
    if trial.load_seconds is None or trial.predict_seconds is None:
        return not_measured(trial)
    most = catalog.limits().predict_seconds
    took = trial.load_seconds + trial.predict_seconds
    if took <= most / 2:
        return []
    text = _(
        "loading and predicting took {took:.0f} s on this machine; requests time out after {most} s",
        took=took,
        most=most,
    )
    return [warning("test.instances", text, _("send fewer instances per request, or use a smaller model"))]


@rule("T07", "trial-exceeds-memory", link=links.MEMORY)
@on_trial
def trial_exceeds_memory(context: CheckContext, trial: TrialResult) -> Outcomes:
    """The process with the loaded model must need less memory than the machine type has.

    The memory of MLS1 machines is documented, but not how much of it the service needs, so this is only a warning.
    """
    name = context.version.machineType
    machine = catalog.machine_type(name) if name else catalog.default_machine_type(context.target.regional)
    if machine is None:
        return Skipped(_("the memory size of {machine} is unknown", machine=name))
    if trial.memory_bytes is None:
        return not_measured(trial)
    text = memory_excess(trial.memory_bytes, machine.name, machine.memory_gb)
    if not text:
        return []
    return [over_limit(context, "version.machineType", text, _larger_machine(machine, trial.memory_bytes), "warning")]


@rule("T08", "trial-shapes-differ", link=links.API_PREDICT)
@on_trial
def trial_shapes_differ(_context: CheckContext, trial: TrialResult) -> Outcomes:
    """The predictions of all test instances should have the same shape."""
    if trial.predictions is None:
        return not_measured(trial)
    shapes = [shape(one) for one in trial.predictions]
    other = next((index for index, one in enumerate(shapes) if one != shapes[0]), None)
    if other is None:
        return []
    text = _(
        "prediction {index} is {other}, but prediction 0 is {first}", index=other, other=shapes[other], first=shapes[0]
    )
    return [warning("test.instances", text, _("use the same structure for every instance"))]


def shape(value: Any) -> str:
    """Describe the shape of a prediction: `number`, `text`, `number[3][2]`, `{label: text, scores: number[2]}`.

    Sizes are those of an array, the outermost first; a list of unequal members has only its own size: `[2]`.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shape(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        members = {shape(one) for one in value}
        member = members.pop() if len(members) == 1 else ""
        sizes = _SIZES.search(member)
        at = sizes.start() if sizes else len(member)
        return f"{member[:at]}[{len(value)}]{member[at:]}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return "text" if isinstance(value, str) else "number"


def _refusal(trial: TrialResult, kind: str, fix: str = "") -> Outcomes:
    """Return the worker's error if it is of this kind; skipped if an earlier one prevented this check."""
    if trial.error is None:
        return []
    refusal = trial.error
    if refusal.kind == kind:
        return [error(refusal.where or "test.instances", refusal.message, refusal.fix or fix)]
    return not_measured(trial) if refusal.kind == _LOAD else []


def memory_excess(took: int, machine: str, memory_gb: float) -> str:
    """Say that the process of a trial took more bytes than a machine has memory; empty if it did not."""
    if took <= memory_gb * _GB:
        return ""
    return _(
        "the model process used {took:.1f} GB on this machine; {machine} has {most:g} GB",
        took=took / _GB,
        machine=machine,
        most=memory_gb,
    )


def not_measured(trial: TrialResult) -> Skipped:
    """Return the outcome of a rule about a value that the trial does not have."""
    if trial.error is None:
        return Skipped(_("not measurable on this system"))
    if trial.error.kind == _LOAD:
        return Skipped(_("the model did not load"))
    return Skipped(_("the model did not predict"))


def _larger_machine(machine: catalog.MachineType, needed: int) -> str:
    family = [row for row in catalog.machine_types() if row.family == machine.family]
    larger = [row for row in family if row.memory_gb * _GB > needed]
    if not larger:
        return _("no machine type in this family has enough memory; reduce the model size")
    return f"--machine-type {larger[0].name}"

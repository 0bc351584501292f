"""Rules about how the model did with the test instances, in a worker of this machine.

The worker answers as the service would; what it refuses is told here in its own words. Skipped where nothing was tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext, TrialResult
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _

_LOAD = "FAILED_TO_LOAD_MODEL"
_GB = 1000**3
_SIZES = re.compile(r"(\[\d+\])+$")


def _on_try(check: Callable[[CheckContext, TrialResult], Outcomes]) -> Callable[[CheckContext], Outcomes]:
    """For rules about a try: skipped where there was none."""

    def checked(context: CheckContext) -> Outcomes:
        if isinstance(context.tried, Skipped):
            return context.tried
        if context.tried is None:
            return Skipped(_("the model was not tried: that needs test instances"))
        return check(context, context.tried)

    checked.__doc__ = check.__doc__
    return checked


@rule("T01", link=links.EXPORTING)
@_on_try
def loads(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The model loads in a worker of this machine."""
    return _refused(tried, _LOAD, _("mend the model's files, or add what it imports with --package-uris"))


@rule("T02", link=links.API_PREDICT)
@_on_try
def takes_the_instances(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The model takes the test instances: names, shapes and types are those of its inputs."""
    return _refused(tried, "INVALID_INPUTS", _("write the instances as the model's inputs are"))


@rule("T03", link=links.API_PREDICT)
@_on_try
def predicts(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The model predicts the test instances without an exception, and its process survives it."""
    return _refused(tried, "FAILED_TO_RUN_MODEL", _("give instances with the columns that it was trained with"))


@rule("T04", link=links.API_PREDICT)
@_on_try
def answers_json(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The predictions are one for each instance, and JSON: lists, numbers and texts, without NaN and Infinity."""
    return _refused(tried, "INVALID_OUTPUTS", _("return a list or an array with a prediction for each instance"))


@rule("T05", link=links.ROUTINES)
@_on_try
def routine_works(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The class of a custom prediction routine is found, and has from_path and predict."""
    return _refused(tried, "INVALID_USER_CODE", _("correct the routine and build its package again"))


@rule("T06", link=links.API_PREDICT)
@_on_try
def fast_enough(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """Loading and one prediction together take less than half of the time that the service gives a request."""
    if tried.load_seconds is None or tried.predict_seconds is None:
        return _not_measured(tried)
    most = catalog.limits().predict_seconds
    took = tried.load_seconds + tried.predict_seconds
    if took <= most / 2:
        return []
    text = _("loading and predicting took {took:.0f} s here; a request ends after {most} s", took=took, most=most)
    return [warning("test.instances", text, _("send fewer instances at once, or take a smaller model"))]


@rule("T07", link=links.MEMORY)
@_on_try
def fits_into_memory(context: CheckContext, tried: TrialResult) -> Outcomes:
    """The process with the model in it needs less memory than the machine type has.

    Sizes of MLS1 machines are documented; what the service itself takes of them is not known, so that it only warns.
    """
    name = context.version.machineType
    machine = catalog.machine_type(name) if name else catalog.default_machine_type(context.target.regional)
    if machine is None:
        return Skipped(_("the memory of {name} is not known", name=name))
    if tried.memory_bytes is None:
        return _not_measured(tried)
    if tried.memory_bytes <= machine.memory_gb * _GB:
        return []
    text = _(
        "the model's process took {took:.1f} GB here; {machine} has {most:g} GB",
        took=tried.memory_bytes / _GB,
        machine=machine.name,
        most=machine.memory_gb,
    )
    return [warning("version.machineType", text, _larger(machine, tried.memory_bytes))]


@rule("T08", link=links.API_PREDICT)
@_on_try
def same_shape(_context: CheckContext, tried: TrialResult) -> Outcomes:
    """The predictions of all test instances have the same shape."""
    if tried.predictions is None:
        return _not_measured(tried)
    shapes = [shape(one) for one in tried.predictions]
    other = next((index for index, one in enumerate(shapes) if one != shapes[0]), None)
    if other is None:
        return []
    text = _(
        "prediction {index} is {other}, prediction 0 is {first}", index=other, other=shapes[other], first=shapes[0]
    )
    return [warning("test.instances", text, _("see that every instance has the same form"))]


TRIAL_RULES = ("T01", "T02", "T03", "T04", "T05", "T06", "T07", "T08")


def shape(value: Any) -> str:
    """What a prediction is, in a few words: `number`, `text`, `number[3][2]`, `{label: text, scores: number[2]}`.

    Sizes are those of an array, the outermost first; lists of unequal members have only their own: `[2]`.
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


def _refused(tried: TrialResult, kind: str, fix: str) -> Outcomes:
    """The worker's refusal where it is of this kind; skipped where another one came first."""
    if tried.error is None:
        return []
    found = tried.error
    if found.kind == kind:
        return [error(found.where or "test.instances", found.message, found.fix or fix)]
    return _not_measured(tried) if found.kind == _LOAD else []


def _not_measured(tried: TrialResult) -> Skipped:
    if tried.error is None:
        return Skipped(_("this system does not tell"))
    if tried.error.kind == _LOAD:
        return Skipped(_("the model did not load"))
    return Skipped(_("the model did not predict"))


def _larger(machine: catalog.MachineType, needed: int) -> str:
    fitting = [one for one in catalog.machine_types() if one.family == machine.family and one.memory_gb * _GB > needed]
    if not fitting:
        return _("no machine of this family has as much: make the model smaller")
    return f"--machine-type {fitting[0].name}"

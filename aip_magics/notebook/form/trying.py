"""Test: the model itself answers the test instances, in a worker of this Python, before anything is sent."""

from __future__ import annotations

from typing import Any

from aip_magics.checks import Skipped
from aip_magics.deploy.checking import check_tried, needs_download, try_out
from aip_magics.errors import AipError, PredictionError
from aip_magics.notebook.form.state import FormState


def answers(state: FormState) -> tuple[Any, ...]:
    """What is to be shown of a try: the predictions and what the checks find in them, or an error."""
    try:
        return _answers(state)
    except AipError as error:
        return (error,)


def _answers(state: FormState) -> tuple[Any, ...]:
    plan, target = state.plan, state.target
    assert state.deployment.test is not None, "Test cannot be pressed without instances"
    if needs_download(plan):
        target.connect()
    tried = try_out(plan, target)
    if isinstance(tried, Skipped):
        return (PredictionError("FAILED_TO_LOAD_MODEL", tried.reason, where=plan.deployment.origin),)
    if tried.error is not None:
        return (tried.error,)
    found = check_tried(plan, target, tried).findings
    return ({"predictions": list(tried.predictions or ())}, *([found] if found else []))

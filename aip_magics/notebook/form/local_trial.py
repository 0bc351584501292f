"""Test: local prediction of the test instances in a worker process, before the deployment.

The button always runs it; a deployment of the same model reuses the result.
"""

from __future__ import annotations

from typing import Any

from aip_magics.checks import Skipped
from aip_magics.data_directory import file_error
from aip_magics.deploy.preflight import needs_download, prepare_environment, run_trial
from aip_magics.errors import AipError, PredictionError
from aip_magics.notebook.form.state import FormState


def run_local_trial(state: FormState) -> tuple[Any, ...]:
    """Run a local trial; returns predictions and findings, or an error, for the form to show."""
    try:
        return _run(state)
    except AipError as error:
        return (error,)
    except OSError as error:
        return (file_error(error, state.target.settings.data_dir),)


def _run(state: FormState) -> tuple[Any, ...]:
    plan, target = state.plan, state.target
    assert state.deployment.test is not None, "Test cannot be pressed without instances"
    if needs_download(plan):
        target.connect()
    tried, report = run_trial(plan, target, environment=prepare_environment(plan, target))
    if isinstance(tried, Skipped):
        return (PredictionError("FAILED_TO_LOAD_MODEL", tried.reason, where=plan.deployment.origin),)
    if tried.error is not None:
        return (tried.error,)
    return ({"predictions": list(tried.predictions or ())}, *([report.findings] if report.findings else []))

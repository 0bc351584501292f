"""projects.jobs: the server has no jobs and cannot create any.

`create` fails with FAILED_PRECONDITION, not UNIMPLEMENTED: gcloud retries a 501 for half a minute.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.conventions import error_responses, google_json, pagination
from aip_magics.server.conventions.error_responses import violation


async def create(request: Request) -> dict[str, Any]:
    """jobs.create: always an error."""
    job = await google_json.read_json(request)
    inputs = [name for name in ("predictionInput", "trainingInput") if job.get(name) is not None]
    if not isinstance(job.get("jobId"), str) or not job["jobId"]:
        raise violation(InvalidArgument, "job.job_id", "A job id is required.")
    if len(inputs) != 1:
        raise violation(InvalidArgument, "job", "Exactly one of prediction_input and training_input must be provided.")
    if inputs == ["trainingInput"]:
        raise violation(FailedPrecondition, "job.training_input", "Training is not available on this server.")
    raise violation(
        FailedPrecondition,
        "job.prediction_input",
        "Batch prediction is not available on this server. Please use online prediction, projects.predict, instead.",
    )


async def list_(request: Request) -> dict[str, Any]:
    """jobs.list: always empty."""
    empty: list[str] = []
    return pagination.paginate(request, "jobs", lambda _after, _count: empty, str, lambda _: {})


async def missing(request: Request) -> dict[str, Any]:
    """jobs.get, cancel, patch and policy: NotFound, as no job exists."""
    raise error_responses.no_job(request.path_params["job"])

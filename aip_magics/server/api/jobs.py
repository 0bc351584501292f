"""projects.jobs: there are none, and none can be made.

The refusal is FAILED_PRECONDITION and not UNIMPLEMENTED: a 501 makes gcloud repeat the call for half a minute.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.conventions import error_responses, google_json, pagination
from aip_magics.server.conventions.error_responses import violation


async def create(request: Request) -> dict[str, Any]:
    job = await google_json.read_json(request)
    given = [name for name in ("predictionInput", "trainingInput") if job.get(name) is not None]
    if not isinstance(job.get("jobId"), str) or not job["jobId"]:
        raise violation(InvalidArgument, "job.job_id", "A job id is required.")
    if len(given) != 1:
        raise violation(InvalidArgument, "job", "Exactly one of prediction_input and training_input must be provided.")
    if given == ["trainingInput"]:
        raise violation(FailedPrecondition, "job.training_input", "This server serves models; it does not train them.")
    raise violation(
        FailedPrecondition,
        "job.prediction_input",
        "Batch prediction is not available on this server. Please use online prediction, projects.predict, instead.",
    )


async def list_(request: Request) -> dict[str, Any]:
    none: list[str] = []
    return pagination.paginate(request, "jobs", lambda _after, _count: none, str, lambda _: {})


async def missing(request: Request) -> dict[str, Any]:
    """get, cancel, patch and the policy of a job: it does not exist."""
    raise error_responses.no_job(request.path_params["job"])

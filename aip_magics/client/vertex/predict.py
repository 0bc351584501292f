"""Online predictions of an endpoint, or of one version of it."""

from __future__ import annotations

import json
import math
from typing import Any

from aip_magics.client.transport import Transport
from aip_magics.client.vertex import calls
from aip_magics.errors import FailedPrecondition, PredictionError
from aip_magics.i18n import gettext as _

NO_TRAFFIC = "doesn't have traffic_split"  # in the message of an error: nothing is deployed to the endpoint
MISSED = 0.001  # the probability that a version with traffic answers none of the requests that are sent to find it


def predict(transport: Transport, endpoint: str, body: bytes, deployed_model_id: str = "") -> dict[str, Any]:
    """Send a request to an endpoint, or on the embedded server to one deployed model of it.

    Raises:
        PredictionError: The model failed.
    """
    request = calls.predict(endpoint, body, deployed_model_id)
    try:
        answer: dict[str, Any] = transport.send(request)
    except FailedPrecondition as error:
        text = model_error(error.message)
        if text is None:
            raise
        raise PredictionError("FAILED_TO_RUN_MODEL", text, where=endpoint) from None
    return answer


def predict_by_share(
    transport: Transport, endpoint: str, body: bytes, deployed_model_id: str, percent: int
) -> dict[str, Any]:
    """Send a request as often as it takes until one deployed model answers, which gets so much of the traffic.

    A shared endpoint has no URL of one deployed model: the answer says which one it was.
    """
    attempts = 1 if percent >= calls.ALL else math.ceil(math.log(MISSED) / math.log(1 - percent / calls.ALL))
    for _attempt in range(attempts):
        answer = predict(transport, endpoint, body)
        if str(answer.get("deployedModelId")) == deployed_model_id:
            return answer
    raise FailedPrecondition(
        _("none of {count} requests reached the version, which gets {percent} %", count=attempts, percent=percent),
        where=endpoint,
        fix=_("run {line} to see where the requests go", line="%aip_traffic MODEL"),
    )


def model_error(message: str) -> str | None:
    """The text of the model server in the message of an error; None if the message is Vertex AI's own.

    A model server's answer is a JSON string or an object, which the service repeats as the message.
    """
    try:
        found = json.loads(message)
    except ValueError:
        return None
    if isinstance(found, dict):
        found = next((found[name] for name in ("error", "detail", "message") if name in found), found)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def no_own_url() -> str:
    """Why a version without traffic cannot be asked."""
    return _("the version gets no requests yet, and an endpoint has no URL of one version")


def give_traffic_fix(model: str, version: str) -> str:
    line = f"%aip_promote {version} --model {model}"
    return _("send it all requests with {line}, or some with {split}", line=line, split=f"%aip_traffic {model}")

"""`parameters` of a Vertex AI request as AI Platform's keys: a worker passes those beside `instances` to the model."""

from __future__ import annotations

import json

from aip_magics.errors import PredictionError
from aip_magics.i18n import gettext as _


def spread_parameters(body: bytes) -> bytes:
    """The body of a request with the keys of `parameters` beside `instances`; as it is if it has no parameters.

    PredictionError (INVALID_INPUTS) if the parameters are not an object, or name the instances.
    """
    if b"parameters" not in body:
        return body
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return body  # the worker says what is wrong
    if not isinstance(request, dict) or "parameters" not in request:
        return body
    parameters = request.pop("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        detail = f"'parameters' must be an object, not {type(parameters).__name__}"
        raise PredictionError(
            "INVALID_INPUTS", detail, fix=_("pass the parameters as {example}", example='{"name": 1}')
        )
    if "instances" in parameters:
        detail = "'parameters' must not contain the key 'instances'"
        raise PredictionError("INVALID_INPUTS", detail, fix=_("rename the key"))
    return json.dumps({**request, **parameters}).encode()

"""From a request's body to the response's body: strict JSON out, one prediction per instance."""

# ruff: noqa: UP032

import json
from typing import Any

from .errors import ModelError, error_text, shortened
from .stats import Stats


def parse(body: bytes) -> "tuple[Any, dict[str, Any]]":
    """The instances (not yet known to be a list) and the other keys of a request's body."""
    try:
        request = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ModelError("INVALID_INPUTS", "the request is not JSON: " + error_text(error)) from error
    if not isinstance(request, dict):
        text = "Invalid request sent to prediction server: " + shortened(request)
        raise ModelError("INVALID_INPUTS", text, 'send a JSON object: {"instances": [...]}')
    if "instances" not in request:
        text = "Required field 'instances' missing in prediction server request: " + shortened(request)
        raise ModelError("INVALID_INPUTS", text, 'send a JSON object: {"instances": [...]}')
    instances = request.pop("instances")
    return instances, request


def predict(model: "Any", body: bytes, stats: Stats) -> bytes:
    """The response's body for a request's body; fills `stats` with the service's timings."""
    stats["Framework"], stats["Prediction-Engine"] = model.label, model.engine
    with stats.time("Prediction-Preprocess-Time"):
        instances, options = parse(body)
        inputs = model.preprocess(instances, options)
    with stats.time("Prediction-Engine-Run-Time"):
        output = model.run(inputs, options)
    with stats.time("Prediction-Postprocess-Time"):
        predictions = model.postprocess(output)
        count = len(instances) if isinstance(instances, list) else 1
        if len(predictions) != count:
            text = "the model returned {} predictions for {} instances".format(len(predictions), count)
            fix = "predict must return one prediction per instance, in the same order"
            raise ModelError("INVALID_OUTPUTS", text, fix)
        return encode(predictions)


def encode(predictions: "list[Any]") -> bytes:
    """Strict JSON; what JSON cannot hold is an error that names the instance."""
    try:
        return json.dumps({"predictions": predictions}, allow_nan=False).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        for index, prediction in enumerate(predictions):
            try:
                json.dumps(prediction, allow_nan=False)
            except (ValueError, TypeError, RecursionError) as reason:
                text = "the prediction for instance {} cannot be written as JSON: {}".format(index, why(reason))
                raise ModelError("INVALID_OUTPUTS", text, cure(prediction)) from error
        raise ModelError(
            "INVALID_OUTPUTS", "the predictions cannot be written as JSON: " + error_text(error)
        ) from error


def why(error: BaseException) -> str:
    text = error_text(error)
    if text.startswith("Out of range float values"):
        return "it is or contains NaN or Infinity, which JSON does not have"
    return text


def cure(prediction: "Any") -> str:
    """How to mend a prediction that JSON cannot hold. The service's library would not convert it either."""
    parts = [prediction]
    while parts:
        part = parts.pop()
        if type(part).__module__ == "numpy" and hasattr(part, "tolist"):
            return "return one NumPy array, or call .tolist() on what is in the list"
        parts.extend(part.values() if isinstance(part, dict) else part if isinstance(part, (list, tuple)) else [])
    return ""

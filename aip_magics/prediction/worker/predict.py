"""Turn the body of a predict request into the body of the response: strict JSON, one prediction per instance."""

# ruff: noqa: UP032

import json
from typing import Any

from .errors import ModelError, _, error_text, shortened
from .predict_hints import output_hint
from .stats import Stats

SEND_OBJECT = _("send a JSON object: {example}", example='{"instances": [...]}')


def parse(body: bytes) -> "tuple[Any, dict[str, Any]]":
    """Parse the body of a request into its instances (not necessarily a list) and its other keys."""
    try:
        request = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ModelError("INVALID_INPUTS", "the request is not JSON: " + error_text(error)) from error
    if not isinstance(request, dict):
        text = "Invalid request sent to prediction server: " + shortened(request)
        raise ModelError("INVALID_INPUTS", text, SEND_OBJECT)
    if "instances" not in request:
        text = "Required field 'instances' missing in prediction server request: " + shortened(request)
        raise ModelError("INVALID_INPUTS", text, SEND_OBJECT)
    instances = request.pop("instances")
    return instances, request


def predict(model: "Any", body: bytes, stats: Stats) -> bytes:
    """Predict for the body of a request and return the body of the response; record the timings in `stats`."""
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
            fix = _("return one prediction per instance from predict, in the same order")
            raise ModelError("INVALID_OUTPUTS", text, fix)
        return encode(predictions, model.label == "custom")


def encode(predictions: "list[Any]", is_routine: bool = False) -> bytes:
    """Encode predictions as strict JSON. Raises ModelError naming the instance that JSON cannot represent."""
    try:
        return json.dumps({"predictions": predictions}, allow_nan=False).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        for index, prediction in enumerate(predictions):
            try:
                json.dumps(prediction, allow_nan=False)
            except (ValueError, TypeError, RecursionError) as reason:
                text = "could not encode the prediction for instance {} as JSON: {}".format(
                    index, encoding_reason(reason)
                )
                raise ModelError("INVALID_OUTPUTS", text, output_hint(prediction, is_routine)) from error
        raise ModelError("INVALID_OUTPUTS", "could not encode the predictions as JSON: " + error_text(error)) from error


def encoding_reason(error: BaseException) -> str:
    text = error_text(error)
    if text.startswith("Out of range float values"):
        return "JSON does not support NaN and Infinity"
    return text

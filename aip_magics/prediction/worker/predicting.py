"""From a request's body to the response's body: strict JSON out, one prediction per instance."""

# ruff: noqa: UP032

import json
import time
from typing import Any

from .refusal import Refusal, said

QUOTE_LIMIT = 200  # characters of a request that an error repeats


def parse(body: bytes) -> "tuple[list[Any], dict[str, Any]]":
    """The instances and the other keys of a request's body."""
    try:
        request = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refusal("INVALID_INPUTS", "the request is not JSON: " + said(error)) from error
    if not isinstance(request, dict):
        text = "Invalid request sent to prediction server: " + shortened(request)
        raise Refusal("INVALID_INPUTS", text, 'send a JSON object: {"instances": [...]}')
    if "instances" not in request:
        text = "Required field 'instances' missing in prediction server request: " + shortened(request)
        raise Refusal("INVALID_INPUTS", text, 'send a JSON object: {"instances": [...]}')
    instances = request.pop("instances")
    if not isinstance(instances, list):
        raise Refusal("INVALID_INPUTS", "'instances' must be a list, not " + shortened(instances))
    return instances, request


def shortened(value: "Any") -> str:
    text = repr(value)
    return text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT] + "…"


def predict(model: "Any", body: bytes, stats: "dict[str, Any]") -> bytes:
    """The response's body for a request's body; fills `stats` with the service's timings, in microseconds."""
    stats["Framework"] = stats["Prediction-Engine"] = model.engine
    start = time.perf_counter()
    instances, options = parse(body)
    options.pop("signature_name", None)
    inputs = model.preprocess(instances)
    parsed = time.perf_counter()
    output = model.run(inputs, options)
    ran = time.perf_counter()
    predictions = model.postprocess(output)
    if len(predictions) != len(instances):
        text = "the model returned {} predictions for {} instances".format(len(predictions), len(instances))
        raise Refusal("INVALID_OUTPUTS", text, "predict must return one prediction per instance, in the same order")
    answer = encode(predictions)
    for name, since, until in (("Preprocess", start, parsed), ("Engine-Run", parsed, ran),
                               ("Postprocess", ran, time.perf_counter())):  # fmt: skip
        stats["Prediction-{}-Time".format(name)] = int((until - since) * 1e6)
    return answer


def encode(predictions: "list[Any]") -> bytes:
    """Strict JSON; what JSON cannot hold is an error that names the instance."""
    try:
        return json.dumps({"predictions": predictions}, allow_nan=False, default=plain).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        for index, prediction in enumerate(predictions):
            try:
                json.dumps(prediction, allow_nan=False, default=plain)
            except (ValueError, TypeError, RecursionError) as reason:
                why = said(reason)
                if why.startswith("Out of range float values"):
                    why = "it is or contains NaN or Infinity, which JSON does not have"
                text = "the prediction for instance {} cannot be written as JSON: {}".format(index, why)
                raise Refusal("INVALID_OUTPUTS", text) from error
        raise Refusal("INVALID_OUTPUTS", "the predictions cannot be written as JSON: " + said(error)) from error


def plain(value: "Any") -> "Any":
    """NumPy's scalars and arrays as Python's: a list of them is a normal result of `predict`."""
    if type(value).__module__ == "numpy":
        return value.tolist()
    raise TypeError("{}.{} is no JSON type".format(type(value).__module__, type(value).__name__))

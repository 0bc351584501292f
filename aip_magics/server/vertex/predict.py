"""endpoints.predict and rawPredict: which deployed model gets a request, and the form of the answer.

A request goes the same way as one of AI Platform's API (`server/predict_app.py`). The answer is the worker's, with four
fields spliced in before its last brace; it is not parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aip_magics import catalog
from aip_magics.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound, PredictionError
from aip_magics.prediction.parameters import spread_parameters
from aip_magics.server.context import AppContext
from aip_magics.server.conventions import google_json
from aip_magics.server.names import ModelKey
from aip_magics.server.predict_target import PredictApi, PredictTarget
from aip_magics.server.vertex import model_views, names
from aip_magics.server.vertex.traffic import ALL, WeightedChoice

# With `/deployedModels/ID`, an extension of the API: by this deployed model, whether or not it gets traffic.
TARGET = re.compile(
    r"/v1(?:beta1)?/projects/([^/]+)/locations/([^/]+)/endpoints/([^/:]+)(?:/deployedModels/([0-9]+))?"
    r":(predict|rawPredict)"
)
SHARED_SECONDS = 60.0
DEDICATED_SECONDS = 600.0  # of an endpoint without an `inferenceTimeout`


def find_resolver(context: AppContext, path: str) -> Callable[[], PredictTarget] | None:
    """Return what chooses the target of each request with this path; None if it is not that of a predict method."""
    match = TARGET.fullmatch(path)
    if match is None:
        return None
    project, region, endpoint, deployed, method = match.groups()
    key = names.make_parent(project, region).child(endpoint)
    return EndpointResolver(context, key, raw=method == "rawPredict", deployed=deployed)


class EndpointResolver:
    """Chooses the deployed model that answers a request to an endpoint. Calling it reads the endpoint if it changed.

    With `deployed`, the ID of a deployed model, it is always this one.
    """

    def __init__(self, context: AppContext, key: ModelKey, *, raw: bool, deployed: str | None = None) -> None:
        self._database = context.database
        self._endpoints = context.database.endpoints
        self._key = key
        self._raw = raw
        self._deployed = deployed
        self._revision = -1  # of the table of endpoints, from which the choice was read
        self._choice: WeightedChoice[PredictTarget] = WeightedChoice({})

    def __call__(self) -> PredictTarget:
        revision = self._endpoints.revision
        if revision != self._revision:
            self._choice = self._read_choice()
            self._revision = revision
        return self._choice()

    def _read_choice(self) -> WeightedChoice[PredictTarget]:
        row = self._endpoints.get(self._key)
        name = names.endpoint_name(self._key)
        if row is None:
            raise NotFound(f"Endpoint `{name}` not found.")
        models = {model["id"]: model for model in row.document.get("deployedModels", ())}
        split: Mapping[str, int] = row.document.get("trafficSplit", {})
        if self._deployed is not None:
            if self._deployed not in models:
                raise NotFound(f"The DeployedModel with ID {self._deployed} was not found in the endpoint {name}.")
            split = {self._deployed: ALL}
        if not split:
            raise FailedPrecondition(f"Endpoint {name} doesn't have traffic_split.")
        api = _api(row.document)
        return WeightedChoice({self._target(models[id_], api): percent for id_, percent in split.items() if percent})

    def _target(self, model: Mapping[str, Any], api: PredictApi) -> PredictTarget:
        version_key = self._key.child(model["id"])
        headers = ((b"x-vertex-ai-endpoint-id", self._key.model), (b"x-vertex-ai-deployed-model-id", model["id"]))
        return PredictTarget(
            version_key,
            api,
            b"" if self._raw else _ending(model),
            tuple((name, value.encode("ascii")) for name, value in headers) if self._raw else (),
            _spread_parameters if self._is_pushed(model) else None,
        )

    def _is_pushed(self, model: Mapping[str, Any]) -> bool:
        """Whether the image of a deployed model was pushed. Prebuilt images take `parameters` as one argument."""
        key, _version = names.parse_model_name("model", model["model"], names.parent_of_key(self._key))
        found = model_views.find_model(self._database, key)
        version = found.find(model["modelVersionId"]) if found else None
        return version is not None and catalog.prediction_image(version.document["containerSpec"]["imageUri"]) is None


def _spread_parameters(body: bytes) -> bytes:
    """As our container does it; InvalidArgument for parameters that cannot be spread."""
    try:
        return spread_parameters(body)
    except PredictionError as error:
        raise InvalidArgument(error.detail) from None


def _ending(model: Mapping[str, Any]) -> bytes:
    fields = {
        "deployedModelId": model["id"],
        "model": model["model"],
        "modelDisplayName": model["displayName"],
        "modelVersionId": model["modelVersionId"],
    }
    return b", " + json.dumps(fields)[1:].encode("ascii")


def _api(endpoint: Mapping[str, Any]) -> PredictApi:
    limits = catalog.vertex_limits()
    if not endpoint.get("dedicatedEndpointEnabled"):
        return PredictApi(limits.payload_bytes_shared, SHARED_SECONDS, _too_large, _model_error)
    timeout = endpoint.get("clientConnectionConfig", {}).get("inferenceTimeout")
    seconds = google_json.parse_duration(timeout or "") or DEDICATED_SECONDS
    return PredictApi(limits.payload_bytes_dedicated, seconds, _too_large, _model_error)


def _too_large(size: int, limit: int) -> ApiError:
    return FailedPrecondition(f"The request size ({size} bytes) exceeds {limit / (1 << 20):.3f}MB limit.")


def _model_error(text: str) -> bytes:
    # The message is the answer of the model server, a JSON string, and a line feed.
    message = json.dumps(text, ensure_ascii=False) + "\n"
    return google_json.error_body(FailedPrecondition(message))[1]

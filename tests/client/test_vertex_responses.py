"""Responses of an endpoint that is not Vertex AI's, or broken: an error or a value, but no traceback."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from aip_magics.client import Request, Transport
from aip_magics.client.vertex.client import VertexClient
from aip_magics.client.vertex.place import Place
from aip_magics.errors import AipError, FieldError

PARENT = "projects/1/locations/us-central1"
RESPONSES: dict[str, Any] = {
    "models": {
        "name": f"{PARENT}/models/iris@1",
        "description": "flowers",
        "versionId": "1",
        "versionDescription": "first",
        "versionAliases": ["v1", "default"],
        "versionCreateTime": "2026-11-06T00:00:00Z",
        "artifactUri": "gs://bucket/iris/v1",
        "labels": {"team": "a"},
        "containerSpec": {
            "imageUri": "us-central1-docker.pkg.dev/my-project/images/iris:1",
            "command": ["serve"],
            "args": ["--fast"],
            "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 8080}],
            "predictRoute": "/predict",
        },
    },
    "endpoints": {
        "name": f"{PARENT}/endpoints/iris",
        "displayName": "iris",
        "labels": {"team": "a"},
        "trafficSplit": {"7": 100},
        "deployedModels": [
            {
                "id": "7",
                "model": f"{PARENT}/models/iris@1",
                "modelVersionId": "1",
                "dedicatedResources": {
                    "machineSpec": {"machineType": "n1-standard-4", "acceleratorType": "T4", "acceleratorCount": 1},
                    "minReplicaCount": 1,
                    "maxReplicaCount": 2,
                    "autoscalingMetricSpecs": [
                        {"metricName": "aiplatform.googleapis.com/prediction/online/cpu/utilization", "target": 60}
                    ],
                },
            }
        ],
        "predictRequestResponseLoggingConfig": {
            "enabled": True,
            "samplingRate": 0.5,
            "bigqueryDestination": {"outputUri": "bq://my-project.logs.iris"},
        },
    },
    "operations": {
        "name": f"{PARENT}/endpoints/iris/operations/1",
        "metadata": {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.DeployModelOperationMetadata",
            "genericMetadata": {"createTime": "2026-11-06T00:00:00Z", "updateTime": "2026-11-06T00:01:00Z"},
        },
        "done": True,
        "response": {"deployedModel": {"model": f"{PARENT}/models/iris@1", "modelVersionId": "1"}},
    },
}
ODD = (None, 3, -1.5, True, "text", "", [], [1], {}, {"a": 1})


class Answers(Transport):
    """Answers each request from `found`, without a connection."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1", requests.Session())
        self.found = found

    def send(self, request: Request) -> Any:
        kind = next(kind for kind in ("operations", "models", "endpoints") if f"/{kind}" in request.path)
        is_list = request.path.endswith((f"/{kind}", ":listVersions"))
        return {kind: [self.found[kind]]} if is_list else self.found[kind]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return new
    found = copy.copy(value)
    found[path[0]] = changed(value[path[0]], path[1:], new)
    return found


def read_all(client: VertexClient) -> list[dict[str, Any]]:
    """What the commands show of a model."""
    found = [*client.list_models(), *client.list_versions("iris"), *client.list_operations(), client.get_model("iris")]
    client.get_traffic("iris")
    client.predictor("iris", "v1")
    return [one.to_json() for one in found]


@pytest.mark.parametrize("kind", RESPONSES)
def test_vertex_client_reads_a_malformed_response_without_a_traceback(kind: str) -> None:
    refused = 0
    for path in paths(RESPONSES[kind]):
        for odd in ODD:
            found = {**RESPONSES, kind: changed(RESPONSES[kind], path, odd)}
            try:
                read_all(VertexClient(Answers(found), Place("my-project", "us-central1")))
            except AipError:
                refused += 1
    assert refused > 30


def test_vertex_client_names_the_malformed_field() -> None:
    endpoint = changed(RESPONSES["endpoints"], ("trafficSplit", "7"), "all")
    client = VertexClient(Answers({**RESPONSES, "endpoints": endpoint}), Place("my-project", "us-central1"))
    with pytest.raises(FieldError, match="expected a whole number, got the string 'all'") as caught:
        client.get_traffic("iris")
    assert caught.value.where == "endpoint.trafficSplit.7"


def test_vertex_client_reads_the_responses() -> None:
    shown = read_all(VertexClient(Answers(RESPONSES), Place("my-project", "us-central1")))
    assert [one["name"].rpartition("/")[2] for one in shown] == ["iris", "v1", "1", "iris"]

"""Endpoints of Vertex AI's API with what nobody should send: no 5xx but 501, nothing hung, nothing changed."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from malformed_requests import JSON, QUERIES, QUICK, SEGMENTS, Raw, check, some
from server_process import LABELS, ROWS
from vertex_requests import PARENT, RESOURCES, create_endpoint, deploy, upload

from aip_magics.server.vertex.endpoint_resources import (
    DeployedModel,
    DeployModelRequest,
    Endpoint,
    MutateDeployedModelRequest,
    UndeployModelRequest,
)
from aip_magics.spec import field_types

ENDPOINT = f"{PARENT}/endpoints/kept"
MODEL = "projects/proj/locations/us-central1/models/iris"
# The predict methods are before the router, and so are not among its routes.
PREDICT = "/v1/projects/{project}/locations/{location}/endpoints/{endpoint}:"
KEYS = ["instances", "parameters", "signature_name", "endpoint", "labels"]
BODIES = st.binary(max_size=40) | (JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4)).map(
    lambda value: json.dumps(value).encode()
)
THERE = {"project": "proj", "location": "us-central1", "endpoint": "kept"}


@pytest.fixture(scope="module")
def raw(shared_server, sklearn_dir):
    model = upload(shared_server, sklearn_dir)
    create_endpoint(shared_server, "kept")
    deploy(shared_server, ENDPOINT, model, id="1")
    raw = Raw(shared_server)
    yield raw
    raw.close()
    assert shared_server.ok("POST", f"{ENDPOINT}:predict", {"instances": ROWS})["predictions"] == LABELS
    assert "Traceback" not in shared_server.log()


@pytest.mark.parametrize("method", ["predict", "rawPredict", "explain"])
def test_vertex_malformed_path_of_predict(raw, method):
    names = {name: st.just(value) | SEGMENTS for name, value in THERE.items()}

    @settings(QUICK, max_examples=40)
    @given(names=st.fixed_dictionaries(names), query=QUERIES, body=BODIES)
    def holds(names, query, body):
        filled = PREDICT + method
        for name, filling in names.items():
            filled = filled.replace(f"{{{name}}}", filling)
        check(raw, "POST", f"{filled}?{query}", body)

    holds()


def fields_of(kind, *without):
    return {name: JSON | some(hint) for name, hint in field_types(kind).items() if name not in without}


SPLITS = st.dictionaries(st.sampled_from(["0", "1", "2", ""]), JSON | st.sampled_from([0, 50, 100, "100"]), max_size=3)
WRONG = st.dictionaries(st.sampled_from(["minReplicaCount", "machineSpec", "autoscalingMetricSpecs"]), JSON, min_size=1)
DEPLOYED = st.fixed_dictionaries(
    # Never right as a whole: a good request would start a worker for each example.
    {"model": st.sampled_from([f"{MODEL}@7", f"{MODEL}@none", "iris", ""]) | JSON},
    optional={
        **fields_of(DeployedModel, "model"),
        "dedicatedResources": st.just(RESOURCES) | WRONG.map(lambda wrong: {**RESOURCES, **wrong}),
    },
)
REQUESTS = {
    "create": ("POST", f"{PARENT}/endpoints?endpointId=kept", st.fixed_dictionaries({}, optional=fields_of(Endpoint))),
    "patch": (
        "PATCH",
        f"{ENDPOINT}?updateMask=trafficSplit",
        st.fixed_dictionaries({"trafficSplit": SPLITS.filter(bool)}, optional=fields_of(Endpoint, "trafficSplit")),
    ),
    "deploy": (
        "POST",
        f"{ENDPOINT}:deployModel",
        st.fixed_dictionaries(
            {"deployedModel": DEPLOYED}, optional=fields_of(DeployModelRequest, "deployedModel", "trafficSplit")
        ),
    ),
    "undeploy": (
        "POST",
        f"{ENDPOINT}:undeployModel",
        st.fixed_dictionaries({}, optional={**fields_of(UndeployModelRequest), "deployedModelId": JSON}),
    ),
    "mutate": (
        "POST",
        f"{ENDPOINT}:mutateDeployedModel",
        st.fixed_dictionaries({}, optional=fields_of(MutateDeployedModelRequest)),
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_vertex_malformed_fields(raw, name):
    method, path, bodies = REQUESTS[name]

    @QUICK
    @given(body=bodies)
    def holds(body):
        check(raw, method, path, json.dumps(body).encode())

    holds()


@pytest.mark.parametrize("method", ["predict", "rawPredict"])
def test_vertex_malformed_prediction(raw, method):
    keys = st.fixed_dictionaries({"instances": JSON}, optional={"parameters": JSON})

    @QUICK
    @given(body=BODIES | keys.map(lambda value: json.dumps(value).encode()))
    def holds(body):
        check(raw, "POST", f"{ENDPOINT}:{method}", body)

    holds()


@pytest.mark.parametrize("mask", ["displayName", "labels.a", "*", "", "deployedModels", "a" * 300])
def test_vertex_malformed_mask(raw, mask):
    assert check(raw, "PATCH", f"{ENDPOINT}?updateMask={quote(mask)}", b"{}") == 400

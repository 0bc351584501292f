"""Every route of Vertex AI's API with what nobody should send: an error answer each time, nothing changed."""

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from malformed_requests import JSON, QUERIES, QUICK, SEGMENTS, TEXT, Raw, check, some
from vertex_requests import IMAGE, PARENT, REGION, create_endpoint, deploy, upload

from aip_magics.server.vertex.resources import Model
from aip_magics.server.vertex.routes import routes
from aip_magics.spec import field_types

ROUTES = sorted({(method, route.path) for route in routes() for method in route.methods - {"HEAD", "OPTIONS"}})
KEYS = [*field_types(Model), "model", "modelId", "parentModel", "versionAliases", "deployedModel", "deployedModelId"]
KEYS += ["trafficSplit", "imageUri", "framework", "timeout", "instances", "parameters"]
BODIES = st.binary(max_size=40) | (JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4)).map(
    lambda value: json.dumps(value).encode()
)
MINIMAL = {"displayName": "m", "containerSpec": {"imageUri": IMAGE}}
FEW = settings(QUICK, max_examples=8)


@pytest.fixture(scope="module")
def raw(shared_server, sklearn_dir):
    endpoint = create_endpoint(shared_server, "kept")
    deploy(shared_server, endpoint, upload(shared_server, sklearn_dir, "kept"))
    raw = Raw(shared_server)
    yield raw
    raw.close()
    answer = shared_server.ok("POST", f"{endpoint}:predict", {"instances": [[3, 3]]})
    assert answer["predictions"] == [1]
    assert "Traceback" not in shared_server.log()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_vertex_malformed_path_and_body(raw, method, path):
    # Half of the names are those of things that are there, so that the rest of the request is looked at, too.
    there = {"project": "proj", "location": REGION, "collection": "models"}
    templates = re.findall(r"\{(\w+)(?::\w+)?\}", path)
    names = {name: st.just(there.get(name, "kept")) | st.just("kept@1") | SEGMENTS for name in templates}
    if "api" in names:  # anything else is a bucket
        names["api"] = st.sampled_from(["v1", "v1beta1", "ui"])

    @FEW
    @given(names=st.fixed_dictionaries(names), query=QUERIES, body=BODIES)
    def holds(names, query, body):
        filled = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: names[match[1]], path)
        check(raw, method, f"{filled}?{query}", None if method in ("GET", "DELETE") else body)

    holds()


def test_vertex_malformed_upload(raw):
    good = {
        "displayName": st.just("m"),
        "artifactUri": st.just("gs://bucket-of-models/none"),
        "containerSpec": st.just({"imageUri": IMAGE}) | JSON,
    }
    fields = {name: JSON | some(hint) for name, hint in field_types(Model).items() if name not in good}

    @QUICK
    @given(model=st.fixed_dictionaries(good, optional=fields), model_id=TEXT | st.just("kept"))
    @example(model={"displayName": "m", "containerSpec": {"sharedMemorySizeMb": "9" * 5000}}, model_id="m")
    @example(model={"displayName": "m", "containerSpec": {"deploymentTimeout": "9" * 5000 + "s"}}, model_id="m")
    @example(
        model={"displayName": "m", "artifactUri": "gs://\x00/", "containerSpec": {"imageUri": IMAGE}}, model_id="m"
    )
    def holds(model, model_id):
        body = json.dumps({"model": model, "modelId": model_id}).encode()
        assert check(raw, "POST", f"{PARENT}/models:upload", body) >= 400

    holds()


@pytest.mark.parametrize("name", ["kept", "kept@1"])
def test_vertex_malformed_patch(raw, name):
    masks = st.lists(st.sampled_from([*KEYS, "labels.a", "display_name"]) | TEXT, max_size=3)

    @QUICK
    @given(mask=masks, body=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
    def holds(mask, body):
        path = f"{PARENT}/models/{quote(name)}?updateMask={quote(','.join(mask))}"
        check(raw, "PATCH", path, json.dumps(body).encode())

    holds()

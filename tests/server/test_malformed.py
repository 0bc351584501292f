"""Every route with what nobody should send: an error answer of ours each time, nothing changed, nothing hung."""

import dataclasses
import http.client
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from malformed_requests import JSON, QUERIES, QUICK, SEGMENTS, TEXT, Raw, check, some

from aip_magics.server.api.routes import routes
from aip_magics.spec import Model, Version, field_types

PROJECT = "/v1/projects/proj"
STOP = "/aip-magics/stop"
PREDICT = (f"/v1/projects/{{project}}/models/{{model}}{version}:predict" for version in ("", "/versions/{version}"))
ROUTES = sorted(
    [
        (method, route.path)
        for route in routes()
        for method in route.methods
        if method in ("GET", "POST", "PATCH", "DELETE", "PUT") and route.path != STOP and "{rest" not in route.path
    ]
    + [("POST", path) for path in PREDICT]  # before the router
)
KEYS = [field.name for kind in (Model, Version) for field in dataclasses.fields(kind)]
KEYS += [
    "instances",
    "signature_name",
    "policy",
    "permissions",
    "jobId",
    "predictionInput",
    "framework",
    "auto_scaling",
]
BODIES = st.one_of(
    st.binary(max_size=40),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4).map(lambda value: json.dumps(value).encode()),
)


@pytest.fixture(scope="module")
def raw(shared_server, sklearn_dir):
    assert shared_server.deploy(sklearn_dir, "kept", "v1")["response"]["state"] == "READY"
    raw = Raw(shared_server)
    yield raw
    raw.close()
    answer = shared_server.ok("POST", f"{PROJECT}/models/kept:predict", {"instances": [[3, 3]]})
    assert answer == {"predictions": [1]}
    assert "Traceback" not in shared_server.log()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_malformed_path_and_body(raw, method, path):
    # Half of the names are those of things that are there, so that the rest of the request is looked at, too. To
    # delete the version would be right.
    there = {"project": "proj", "model": "kept", "version": "none" if method == "DELETE" else "v1"}
    names = {name: st.just(there.get(name, "none")) | SEGMENTS for name in re.findall(r"\{(\w+)\}", path)}

    @settings(QUICK, max_examples=25)
    @given(names=st.fixed_dictionaries(names), query=QUERIES, body=BODIES)
    def holds(names, query, body):
        filled = path
        for name, filling in names.items():
            filled = filled.replace(f"{{{name}}}", filling)
        check(raw, method, f"{filled}?{query}", None if method in ("GET", "DELETE") else body)

    holds()


CREATES = [(f"{PROJECT}/models", Model), (f"{PROJECT}/models/kept/versions", Version)]


@pytest.mark.parametrize(("path", "kind"), CREATES)
def test_malformed_fields_of_a_resource(raw, path, kind):
    good = {"name": st.just("v2"), "deploymentUri": st.just("gs://bucket-of-models/none")}

    if kind is Model:
        del good["deploymentUri"]
    fields = {name: JSON | some(hint) for name, hint in field_types(kind).items() if name not in good}

    @QUICK
    @given(body=st.fixed_dictionaries(good, optional=fields))
    @example(body={"name": "v2", "manualScaling": {"nodes": "9" * 5000}})
    @example(body={"name": "v2", "manualScaling": {"nodes": 10**300}})
    @example(body={"name": "v2", "deploymentUri": "gs://\x00/"})
    def holds(body):
        check(raw, "POST", path, json.dumps(body).encode())

    holds()


@pytest.mark.parametrize("path", [f"{PROJECT}/models/kept", f"{PROJECT}/models/kept/versions/v1"])
def test_malformed_patch(raw, path):
    masks = st.lists(
        st.sampled_from([*KEYS, "autoScaling.minNodes", "manualScaling.nodes", "labels.a"]) | TEXT, max_size=3
    )

    @QUICK
    @given(mask=masks, body=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
    def holds(mask, body):
        if "manualScaling" in body or "autoScaling" in body:
            mask = [name for name in mask if "caling" not in name]  # a good patch would start workers
        check(raw, "PATCH", f"{path}?updateMask={quote(','.join(mask))}", json.dumps(body).encode())

    holds()


def test_malformed_prediction(raw):
    @QUICK
    @given(body=BODIES | st.fixed_dictionaries({"instances": JSON}).map(lambda value: json.dumps(value).encode()))
    def holds(body):
        check(raw, "POST", f"{PROJECT}/models/kept:predict", body)

    holds()


def test_malformed_body_that_ends_too_early_or_never_comes(raw):
    token = raw.server.state.token
    before = raw.state()
    for size in (10, 10**12):
        connection = http.client.HTTPConnection("127.0.0.1", raw.server.state.port, timeout=30)
        connection.putrequest("POST", f"{PROJECT}/models")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Length", str(size))
        connection.endheaders(b'{"name":')
        connection.close()
    assert check(raw, "GET", f"{PROJECT}/models/kept", None) == 200
    assert raw.state() == before

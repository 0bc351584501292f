"""Every route with what nobody should send: an error answer of ours each time, nothing changed, nothing hung."""

import dataclasses
import http.client
import json
import re
import sqlite3
import typing
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aip_magics.server.api.routes import routes
from aip_magics.spec import Model, Resource, Version, field_types

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
QUICK = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SEGMENTS = st.one_of(
    st.sampled_from(["kept", "v1", "none", "..", ".", "%2F", "%00", "a:b", ":", "m:predict", "%", "%FF", "%ED%A0%80"]),
    TEXT.filter(bool).map(lambda text: quote(text, safe="")),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#?"), min_size=1, max_size=12),
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
PARAMETERS = "pageSize pageToken filter updateMask fields alt prettyPrint options.requestedPolicyVersion x $.xgafv"
QUERIES = st.dictionaries(
    st.sampled_from(PARAMETERS.split()), TEXT | st.sampled_from(["description", "-1", "(", "name:x"]), max_size=3
).map(lambda query: "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items()))


class Raw:
    """Sends a path as it is, which no HTTP library for people would."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.state.port, timeout=30)
        self.database = sqlite3.connect(f"file:{server.data_dir / 'service.sqlite'}?mode=ro", uri=True)

    def close(self):
        self.connection.close()
        self.database.close()

    def send(self, method, path, body):
        headers = {"Authorization": f"Bearer {self.server.state.token}", "Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def state(self):
        tables = ("models", "versions", "operations")
        return [self.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4").fetchall() for table in tables]


@pytest.fixture(scope="module")
def raw(shared_server, sklearn_dir):
    assert shared_server.deploy(sklearn_dir, "kept", "v1")["response"]["state"] == "READY"
    raw = Raw(shared_server)
    yield raw
    raw.close()
    answer = shared_server.ok("POST", f"{PROJECT}/models/kept:predict", {"instances": [[3, 3]]})
    assert answer == {"predictions": [1]}
    assert "Traceback" not in shared_server.log()


def check(raw, method, path, body):
    """An answer below 500 that is JSON; an error leaves the state as it was."""
    before = raw.state()
    status, content = raw.send(method, path, body)
    assert status < 500, (status, content)
    answer = json.loads(content)
    if status >= 400:
        assert raw.state() == before
        error = answer["error"]
        assert isinstance(error, str) or (error["code"] == status and error["message"] and error["status"])
    return status


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


def some(hint):
    """Values of the right type, mostly: what gets past the reading and into the rules."""
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return st.lists(some(typing.get_args(hint)[0]), max_size=2)
    if typing.get_origin(hint) is not None:
        return st.dictionaries(TEXT, TEXT, max_size=2)
    if issubclass(hint, Resource):
        return st.fixed_dictionaries({}, optional={name: some(inner) for name, inner in field_types(hint).items()})
    if hint is str:
        return TEXT | st.sampled_from(["2.11", "3.7", "1.1", "n1-standard-2", "gs://b/p.tar.gz", "m.C", "gs://b/d"])
    return st.booleans() if hint is bool else st.integers() | st.sampled_from([0, 1, 2**31, 2**63])


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

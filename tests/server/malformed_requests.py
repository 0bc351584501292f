"""What nobody should send, for Hypothesis, and a client that sends it as it is."""

import http.client
import json
import sqlite3
import typing
from urllib.parse import quote

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from aip_magics.spec import Resource, field_types

UNIMPLEMENTED = 501
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
PARAMETERS = (
    "pageSize pageToken filter orderBy updateMask fields alt prettyPrint options.requestedPolicyVersion endpointId "
    "timeout x $.xgafv"
)
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
        tables = ("models", "versions", "operations", "vertex_models", "vertex_model_versions", "endpoints", "images")
        return [self.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]


def check(raw, method, path, body):
    """An answer below 500 that is JSON, or that the method is not offered; an error leaves the state as it was."""
    before = raw.state()
    status, content = raw.send(method, path, body)
    assert status < 500 or status == UNIMPLEMENTED, (status, content)
    answer = json.loads(content)
    if status >= 400:
        assert raw.state() == before
        error = answer["error"]
        assert isinstance(error, str) or (error["code"] == status and error["message"] and error["status"])
    return status


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

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from aip_magics import errors
from aip_magics.client import Client, Request, Transport
from aip_magics.client.transport import error_from_response
from aip_magics.spec import Operation


class Script(ThreadingHTTPServer):
    """A server that gives prepared answers, one after the other, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Script

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        code, data = self.server.answers.pop(0)
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as found:
        yield found


@pytest.fixture
def client(script: Script, session: requests.Session) -> Client:
    return Client(Transport(script.url, session, sleep=lambda _: None), "my-project")


def test_transport_retries_reads(script: Script, client: Client) -> None:
    script.answers = [(503, {}), (429, {}), (200, {"name": "projects/my-project/models/iris"})]
    assert client.get_model("iris").id == "iris"
    assert len(script.asked) == 3


def test_transport_sends_a_changing_call_once(script: Script, client: Client) -> None:
    script.answers = [(503, {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})]
    with pytest.raises(errors.Unavailable, match="busy"):
        client.delete_model("iris")
    assert len(script.asked) == 1


def test_transport_repeats_a_changing_call_that_was_one_of_too_many(script: Script, client: Client) -> None:
    script.answers = [(429, {}), (200, {"name": "projects/my-project/operations/delete_iris-1"})]
    assert client.delete_model("iris").id == "delete_iris-1"
    script.answers = [(429, {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}})] * 5
    with pytest.raises(errors.ResourceExhausted, match="slow down"):
        client.delete_model("iris")
    assert len(script.asked) == 2 + 5


def test_transport_names_the_login_for_expired_credentials() -> None:
    data = {"error": {"code": 401, "message": "Request had invalid credentials.", "status": "UNAUTHENTICATED"}}
    error = error_from_response(401, data, "", "https://us-central1-aiplatform.googleapis.com")
    assert isinstance(error, errors.Unauthenticated)
    assert error.fix == "run `gcloud auth application-default login`"


def test_transport_names_the_endpoint_and_the_reason_without_a_server(session: requests.Session) -> None:
    tries: list[float] = []
    transport = Transport("http://127.0.0.1:9", session, sleep=tries.append)
    with pytest.raises(errors.Unavailable) as caught:
        transport.send(Request("POST", "v1/projects/p/models", {}))
    assert caught.value.where == "http://127.0.0.1:9"
    assert "refused" in caught.value.message
    assert len(tries) == 4  # nothing was sent, so even a POST is tried again


def test_client_list_follows_pages(script: Script, client: Client) -> None:
    script.answers = [(200, {"models": [{"name": "a"}], "nextPageToken": "2"}), (200, {"models": [{"name": "b"}]})]
    assert [model.name for model in client.list_models()] == ["a", "b"]
    assert script.asked[1][1] == "/v1/projects/my-project/models?pageSize=100&pageToken=2"


def test_client_list_takes_an_empty_object_for_an_empty_list(script: Script, client: Client) -> None:
    script.answers = [(200, {})]
    assert client.list_versions("iris") == []


def test_client_leaves_out_unknown_fields_of_a_response(script: Script, client: Client) -> None:
    script.answers = [(200, {"name": "n", "framework": "PYTORCH", "novelty": 1})]
    assert client.get_version("iris", "v1").to_json() == {"name": "n", "framework": "PYTORCH"}


def test_client_wait_polls_until_done(script: Script, client: Client) -> None:
    name = "projects/my-project/operations/create_iris_v1-1"
    script.answers = [(200, {"name": name}), (200, {"name": name, "done": True, "response": {}})]
    polled = [update.operation for update in client.watch(Operation(name=name), sleep=lambda _: None)]
    assert polled[-1].done
    assert len(polled) == 2


def test_client_wait_raises_what_the_operation_says(client: Client) -> None:
    failed = Operation.from_json({"name": "o", "done": True, "error": {"code": 3, "message": "Bad model"}})
    with pytest.raises(errors.OperationFailed, match="Bad model") as caught:
        client.wait(failed)
    assert caught.value.operation is failed


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (400, "INVALID_ARGUMENT", errors.InvalidArgument),
        (400, "FAILED_PRECONDITION", errors.FailedPrecondition),
        (401, "UNAUTHENTICATED", errors.Unauthenticated),
        (403, "PERMISSION_DENIED", errors.PermissionDenied),
        (404, "NOT_FOUND", errors.NotFound),
        (409, "ALREADY_EXISTS", errors.AlreadyExists),
        (429, "RESOURCE_EXHAUSTED", errors.ResourceExhausted),
        (500, "INTERNAL", errors.ApiError),
    ],
)
def test_transport_turns_error_objects_into_errors(code: int, status: str, kind: type[errors.ApiError]) -> None:
    field = {"fieldViolations": [{"field": "version.name", "description": "x"}]}
    data = {"error": {"code": code, "message": "no", "status": status, "details": [field]}}
    error = error_from_response(code, data, "", "http://127.0.0.1:1")
    assert type(error) is kind
    assert (error.message, error.where) == ("no", "version.name")


def test_client_predict_takes_the_string_form_of_predictions() -> None:
    error = error_from_response(
        400, {"error": "Prediction failed: Exception during sklearn prediction: x"}, "", "http://a"
    )
    assert isinstance(error, errors.PredictionError)
    assert error.detail == "Exception during sklearn prediction: x"


@pytest.mark.parametrize("host", ["ml.googleapis.com", "us-central1-ml.googleapis.com"])
def test_transport_says_that_googles_own_endpoint_has_ended(host: str) -> None:
    error = error_from_response(404, None, "<html>Not Found", f"https://{host}")
    assert isinstance(error, errors.ServiceEnded)
    assert "2025-01-31" in error.fix
    assert "Not Found" in error.message

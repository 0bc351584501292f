"""Who may ask: token, Host, Origin, sizes; and that nothing of the inside leaks out."""

import socket
import sqlite3
from pathlib import Path

import pytest

MODELS = "/v1/projects/proj/models"


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", "Basic TOKEN", "TOKEN", "Bearer TOKENx"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", MODELS),
        ("POST", f"{MODELS}/m:predict"),
        ("GET", "/storage/v1/b?project=p"),
        ("POST", "/aip-magics/stop"),
    ],
)
def test_middleware_lets_no_route_without_the_token(shared_server, method, path, given):
    value = given.replace("TOKEN", shared_server.state.token) if given else given
    answer = shared_server.call(method, path, Authorization=value)
    assert answer.status == 401
    assert answer.body["error"]["status"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert shared_server.state.token not in str(answer.body)


def test_middleware_tells_health_without_a_token_and_no_more(shared_server):
    answer = shared_server.call("GET", "/healthz", Authorization=None)
    assert answer.status == 200
    assert answer.body == {"name": "aip-magics", "version": shared_server.state.version, "pid": shared_server.state.pid}


@pytest.mark.parametrize("path", [MODELS, "/healthz", "/storage/v1/b?project=p"])
def test_middleware_refuses_other_hosts_and_web_pages(shared_server, path):
    assert shared_server.call("GET", path, Host="evil.example").status == 403
    assert shared_server.call("GET", path, Host="mars-ml.googleapis.com").status == 403
    for origin in ("https://evil.example", "null", shared_server.url):
        refused = shared_server.call("GET", path, Origin=origin)
        assert refused.status == 403
        assert not any(name.lower().startswith("access-control") for name in refused.headers)
    assert shared_server.call("OPTIONS", path, Origin="https://evil.example").status == 403


def test_server_listens_on_the_loopback_interface_only(shared_server):
    assert shared_server.state.host == "127.0.0.1"
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    ours = [address for address in listening if int(address.split(":")[1], 16) == shared_server.state.port]
    assert ours == [f"0100007F:{shared_server.state.port:04X}"]


def test_middleware_takes_the_region_from_the_target_of_a_proxy_request(shared_server):
    def ask(host: str) -> bytes:
        request = (
            f"GET http://{host}{MODELS}/proxied?alt=json HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {shared_server.state.token}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", shared_server.state.port)) as connection:
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    shared_server.ok("POST", MODELS, {"name": "proxied"}, Host="us-east1-ml.googleapis.com")
    assert b'"regions":["us-east1"]' in ask("us-east1-ml.googleapis.com")
    assert ask("ml.googleapis.com").startswith(b"HTTP/1.1 404")
    assert ask("evil.example").startswith(b"HTTP/1.1 403")


def test_middleware_keeps_the_encoding_of_an_object_in_a_proxy_request(shared_server):
    """`/` in an object's name travels as %2F: what is taken from the target must not be decoded on the way."""

    def ask(method: str, target: str, body: bytes = b"") -> bytes:
        request = (
            f"{method} http://storage.googleapis.com{target} HTTP/1.1\r\nHost: storage.googleapis.com\r\n"
            f"Authorization: Bearer {shared_server.state.token}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", shared_server.state.port)) as connection:
            connection.sendall(request.encode() + body)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    shared_server.ok("POST", "/storage/v1/b?project=p", {"name": "proxied"})
    for name in ("a%2F..%2Fb", "%2525", "a%3Fb%23c", "%2F%2F", "%ED%95%9C%EA%B8%80"):
        query = f"uploadType=media&name={name}"
        assert ask("POST", f"/upload/storage/v1/b/proxied/o?{query}", name.encode()).startswith(b"HTTP/1.1 200")
        assert ask("GET", f"/storage/v1/b/proxied/o/{name}?alt=media").endswith(f"\r\n\r\n{name}".encode())
        assert shared_server.call("GET", f"/storage/v1/b/proxied/o/{name}?alt=media").body == name
    assert ask("GET", "").startswith(b"HTTP/1.1 4")


def test_middleware_shows_a_reference_of_an_internal_error_and_no_more(server):
    server.ok("POST", MODELS, {"name": "m"})
    with sqlite3.connect(server.data_dir / "service.sqlite") as database:
        database.execute("UPDATE models SET document = 'broken'")
    database.close()
    answer = server.call("GET", f"{MODELS}/m")
    assert answer.status == 500
    assert answer.body["error"]["status"] == "INTERNAL"
    message = answer.body["error"]["message"]
    assert "JSONDecodeError" not in message
    reference = message.rpartition(" ")[2].rstrip(".")
    assert f"internal error {reference} in GET {MODELS}/m" in server.log()
    assert "JSONDecodeError" in server.log()
    assert server.state.token not in server.log()

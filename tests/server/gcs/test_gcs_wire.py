"""The wire, byte by byte: what clients other than google-cloud-storage send, and what goes wrong on the way."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aip_magics.server.gcs.api import _JSON, _MEDIA, _XML

MIB = 1 << 20


class Wire:
    """Requests to one bucket; `o` is the path of its objects."""

    def __init__(self, http: requests.Session, server: Any, bucket: str) -> None:
        self.http = http
        self.server = server
        self.bucket = bucket
        self.o = f"{server.url}/storage/v1/b/{bucket}/o"
        self.upload = f"{server.url}/upload/storage/v1/b/{bucket}/o"

    def put(self, name: str, data: bytes, **headers: str) -> requests.Response:
        return self.http.post(self.upload, data=data, params={"uploadType": "media", "name": name}, headers=headers)

    def read(self, name: str) -> bytes:
        return self.http.get(f"{self.o}/{requests.utils.quote(name, safe='')}?alt=media").content

    def names(self) -> list[str]:
        return [item["name"] for item in self.http.get(self.o).json().get("items", [])]

    def session(self, name: str = "x", **more: Any) -> str:
        answer = self.http.post(self.upload, params={"uploadType": "resumable", "name": name}, **more)
        assert answer.status_code == 200, answer.text
        assert answer.content == b""
        return answer.headers["location"]

    def send(self, url: str, data: bytes = b"", said: str = "", **headers: str) -> requests.Response:
        if said:
            headers["content-range"] = said
        return self.http.put(url, data=data, headers=headers, allow_redirects=False)


@pytest.fixture
def wire(http: requests.Session, object_server: Any, bucket_name: str) -> Wire:
    return Wire(http, object_server, bucket_name)


def error(answer: requests.Response) -> tuple[int, str]:
    """Code and reason of Google's error object, which says each of them twice."""
    inner = answer.json()["error"]
    (entry,) = inner["errors"]
    assert (inner["code"], entry["domain"], entry["message"]) == (answer.status_code, "global", inner["message"])
    return inner["code"], entry["reason"]


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("content", [b"data", b"", b"\r", b"x\r\n", b"\n--=b=", b"\r\n\r\n"])
def test_gcs_multipart_as_gcloud_sends_it(wire: Wire, content: bytes) -> None:
    body = b'--=b=\nContent-Type: application/json\n\n{"size": "4"}\n--=b=\ncontent-type: text/x\n\n' + content
    answer = wire.http.post(
        f"{wire.upload}?alt=json&name=dir%2Fa+b&uploadType=multipart",
        data=body + b"\n--=b=--",
        headers={"content-type": "multipart/related; boundary='=b='"},
    )
    made = answer.json()
    assert (made["name"], made["size"], made["contentType"]) == ("dir/a b", str(len(content)), "text/x")
    assert made["md5Hash"] == base64.b64encode(hashlib.md5(content).digest()).decode()
    assert wire.read("dir/a b") == content


def test_gcs_links_lead_back(wire: Wire) -> None:
    made = wire.put("a/b%2Fc ü", b"data").json()
    assert wire.http.get(made["mediaLink"]).content == b"data"
    assert wire.http.get(made["selfLink"]).json() == made
    assert wire.http.get(made["selfLink"].replace("/storage/", "/download/storage/")).content == b"data"


def test_gcs_encoded_slashes_are_not_slashes(wire: Wire) -> None:
    wire.put("a/b", b"slash")
    wire.put("a%2Fb", b"text")
    assert wire.names() == ["a%2Fb", "a/b"]
    assert wire.http.get(f"{wire.o}/a%2Fb?alt=media").content == b"slash"
    assert wire.http.get(f"{wire.o}/a%252Fb?alt=media").content == b"text"
    assert wire.http.get(f"{wire.o}/a/b").status_code == 404


def test_gcs_checksums_are_verified(wire: Wire) -> None:
    good = f"crc32c={crc32c(b'data')},md5={base64.b64encode(hashlib.md5(b'data').digest()).decode()}"
    answer = wire.put("x", b"data", **{"X-Goog-Hash": good})
    assert answer.status_code == 200
    assert wire.http.get(f"{wire.o}/x?alt=media").headers["x-goog-hash"] == good
    assert error(wire.put("y", b"datA", **{"X-Goog-Hash": good})) == (400, "invalid")
    assert error(wire.put("y", b"data", **{"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})) == (400, "invalid")
    wrong = wire.session("y", json={"crc32c": "AAAAAA=="})
    assert error(wire.send(wrong, b"data")) == (400, "invalid")
    late = wire.session("y")
    assert error(wire.send(late, b"data", "bytes 0-3/4", **{"X-Goog-Hash": "crc32c=AAAAAA=="})) == (400, "invalid")
    assert wire.send(late, b"", "bytes */*").status_code == 404
    assert wire.names() == ["x"]


def test_gcs_resumable_in_steps(wire: Wire) -> None:
    url = wire.session("x", json={"contentType": "text/x", "metadata": {"k": "v"}})
    assert wire.send(url, b"", "bytes */*").headers.get("range") is None
    first = wire.send(url, b"01234", "bytes 0-4/*")
    assert (first.status_code, first.headers["range"]) == (308, "bytes=0-4")
    assert wire.names() == []
    asked = wire.send(url, b"", "bytes */10")
    assert (asked.status_code, asked.headers["range"]) == (308, "bytes=0-4")
    assert error(wire.send(url, b"89", "bytes 8-9/10")) == (400, "invalid")  # a hole
    assert error(wire.send(url, b"5678", "bytes 5-6/10")) == (400, "invalid")  # more than announced
    done = wire.send(url, b"3456789", "bytes 3-9/10")  # two bytes are there already
    assert done.status_code == 200
    assert (done.json()["size"], done.json()["contentType"], done.json()["metadata"]) == ("10", "text/x", {"k": "v"})
    assert wire.read("x") == b"0123456789"
    assert wire.send(url, b"", "bytes */10").json() == done.json()  # the answer may have been lost
    assert wire.http.delete(url).status_code == 499
    assert wire.read("x") == b"0123456789"


def test_gcs_resumable_of_unknown_size_ends_by_a_query(wire: Wire) -> None:
    url = wire.session("x")
    wire.send(url, b"01234", "bytes 0-4/*")
    assert wire.send(url, b"", "bytes */5").json()["size"] == "5"
    assert wire.send(wire.session("empty"), b"", "bytes */0").json()["size"] == "0"
    assert wire.send(wire.session("whole"), b"all").json()["size"] == "3"
    assert wire.names() == ["empty", "whole", "x"]


def test_gcs_resumable_refusals(wire: Wire) -> None:
    url = wire.session("x", headers={"x-upload-content-length": "5", "x-upload-content-type": "text/x"})
    assert error(wire.send(url, b"x", "bytes 0-0/6")) == (400, "invalid")
    assert error(wire.send(url, b"x", "bytes one")) == (400, "invalid")
    assert wire.http.delete(url).status_code == 499
    assert error(wire.send(url, b"x")) == (404, "notFound")
    assert error(wire.http.delete(url)) == (404, "notFound")
    wire.put("x", b"data")
    refused = wire.http.post(f"{wire.upload}?uploadType=resumable&name=x&ifGenerationMatch=0")
    assert error(refused) == (412, "conditionNotMet")
    elsewhere = url.replace(wire.bucket, "another-bucket")
    assert error(wire.send(elsewhere, b"x")) == (404, "notFound")


def test_gcs_resumable_path_of_gcloud(wire: Wire) -> None:
    url = wire.session("x").replace("/upload/", "/resumable/upload/")
    start = wire.upload.replace("/upload/", "/resumable/upload/")
    given = wire.http.post(f"{start}?alt=json&name=y&uploadType=resumable", json={"size": "4"}).headers["location"]
    assert given.startswith(start)
    assert wire.send(given, b"data").json()["name"] == "y"
    assert wire.send(url, b"data").json()["name"] == "x"


def connect(wire: Wire) -> socket.socket:
    host, port = wire.server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_gcs_resumable_keeps_what_arrived_before_a_broken_connection(wire: Wire) -> None:
    data = os.urandom(3 * MIB)
    url = wire.session("x")
    with connect(wire) as line:
        path = url.removeprefix(wire.server.url)
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        line.sendall(head.encode() + data[: 2 * MIB + 1000])
    wait_for(lambda: wire.send(url, b"", "bytes */*").headers.get("range") == f"bytes=0-{2 * MIB + 999}")
    rest = wire.send(url, data[2 * MIB + 1000 :], f"bytes {2 * MIB + 1000}-{len(data) - 1}/{len(data)}")
    assert rest.status_code == 200
    assert wire.read("x") == data


def test_gcs_resumable_newer_request_takes_over_a_hanging_one(wire: Wire) -> None:
    data = os.urandom(2 * MIB)
    url = wire.session("x")
    path = url.removeprefix(wire.server.url)
    with connect(wire) as line:
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        line.sendall(head.encode() + data[: MIB + MIB // 2])
        wait_for(lambda: "range" in wire.send(url, b"", "bytes */*").headers)  # it has its turn
        assert wire.send(url, data, f"bytes 0-{len(data) - 1}/{len(data)}").status_code == 200
        line.sendall(bytes(MIB // 2))  # the sleeper wakes up and adds nothing
        assert line.recv(1000).split()[1] == b"503"
    assert wire.read("x") == data


def test_gcs_broken_upload_is_no_object(wire: Wire, object_server: Any) -> None:
    incoming: Path = object_server.data_dir / "objects" / "incoming"
    before = set(incoming.iterdir())
    with connect(wire) as line:
        path = f"/upload/storage/v1/b/{wire.bucket}/o?uploadType=media&name=x"
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MIB}\r\n\r\n".encode() + bytes(2 * MIB))
        wait_for(lambda: set(incoming.iterdir()) > before)
    wait_for(lambda: set(incoming.iterdir()) == before)
    assert wire.names() == []


def test_gcs_big_upload_to_a_missing_bucket_is_told_so(wire: Wire) -> None:
    url = wire.upload.replace(wire.bucket, "missing-bucket")
    answer = wire.http.post(f"{url}?uploadType=media&name=x", data=bytes(8 * MIB))
    assert error(answer) == (404, "notFound")


def test_gcs_reads(wire: Wire) -> None:
    made = wire.put("x", b"0123456789", **{"content-type": "text/x"}).json()
    url = f"{wire.o}/x"
    part = wire.http.get(f"{url}?alt=media", headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert error(wire.http.get(f"{url}?alt=media", headers={"range": "bytes=10-"}))[0] == 416
    head = wire.http.head(f"{url}?alt=media")
    assert (head.headers["content-length"], head.headers["x-goog-generation"]) == ("10", made["generation"])
    assert wire.http.get(f"{url}?ifGenerationNotMatch={made['generation']}").status_code == 304
    assert error(wire.http.get(f"{url}?ifGenerationMatch=1")) == (412, "conditionNotMet")
    assert wire.http.get(f"{url}?fields=name,size").json() == {"name": "x", "size": "10"}
    assert wire.http.get(f"{url}?generation={made['generation']}").json() == made


def test_gcs_metadata_cannot_write_headers(wire: Wire) -> None:
    wire.put("x", b"data")
    for value in ("a\r\nset-cookie: b", "\0", 7):
        assert error(wire.http.patch(f"{wire.o}/x", json={"contentType": value})) == (400, "invalid")
    wire.http.patch(f"{wire.o}/x", json={"contentDisposition": "attachment; filename=日本"})
    shown = wire.http.get(f"{wire.o}/x?alt=media").headers["content-disposition"]
    assert shown.encode("latin-1").decode() == "attachment; filename=日本"


@pytest.mark.parametrize(
    ("method", "path", "body", "wanted"),
    [
        ("POST", "/storage/v1/b?project=p", "{", (400, "parseError")),
        ("POST", "/storage/v1/b?project=p", "[]", (400, "parseError")),
        ("POST", "/storage/v1/b?project=p", "{}", (400, "required")),
        ("POST", "/storage/v1/b", '{"name": "a-bucket"}', (400, "required")),
        ("POST", "/storage/v1/b?project=p", '{"name": "a-bucket", "location": "no place"}', (400, "invalid")),
        ("POST", "/storage/v1/b?project=p", '{"name": "abc", "versioning": {"enabled": true}}', (400, "invalid")),
        ("POST", "/storage/v1/b?project=p", " " * 1_100_000, (413, "uploadTooLarge")),
        ("GET", "/storage/v1/b/{b}/o?pageToken=*", "", (400, "invalid")),
        ("GET", "/storage/v1/b/{b}/o?maxResults=many", "", (400, "invalid")),
        ("GET", "/storage/v1/b/{b}/o?fields=a(", "", (400, "invalidParameter")),
        ("GET", "/storage/v1/b/{b}/o?matchGlob=[", "", (400, "invalid")),
        ("GET", "/storage/v1/b/{b}/o/%FF", "", (400, "invalid")),
        ("GET", "/storage/v1/b/{b}/o?prefix=%FF", "", (400, "invalid")),
        ("GET", "/storage/v1/b/{b}/o/x?generation=-1", "", (400, "invalid")),
        ("POST", "/storage/v1/b/{b}/o/x", "", (405, "methodNotAllowed")),
        ("POST", "/storage/v1/b/{b}/o/x/compose", '{"sourceObjects": [{}]}', (400, "required")),
        ("POST", "/storage/v1/b/{b}/o/x/compose", '{"sourceObjects": 1}', (400, "invalid")),
        ("POST", "/storage/v1/b/{b}/o/x/compose", "{}", (400, "invalid")),
        ("PUT", "/storage/v1/b/{b}/iam", '{"bindings": [1]}', (400, "invalid")),
        ("POST", "/upload/storage/v1/b/{b}/o?uploadType=media&name=.", "data", (400, "invalid")),
        ("POST", "/upload/storage/v1/b/{b}/o?uploadType=media", "data", (400, "required")),
        ("POST", "/upload/storage/v1/b/{b}/o?uploadType=other&name=x", "data", (400, "invalid")),
        ("POST", "/upload/storage/v1/b/{b}/o?uploadType=multipart", "data", (400, "invalid")),
        ("POST", "/batch/storage/v1", "data", (400, "invalid")),
    ],
)
def test_gcs_refusals(wire: Wire, method: str, path: str, body: str, wanted: tuple[int, str]) -> None:
    answer = wire.http.request(method, wire.server.url + path.replace("{b}", wire.bucket), data=body)
    assert error(answer) == wanted
    assert wire.names() == []


def batch(wire: Wire, *calls: str) -> requests.Response:
    body = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-ID: <x+{i}>\r\n\r\n{c}\r\n" for i, c in enumerate(calls)
    )
    headers = {"content-type": "multipart/mixed; boundary=b"}
    return wire.http.post(f"{wire.server.url}/batch/storage/v1", data=body + "--b--", headers=headers)


def test_gcs_batch_calls_are_answered_one_by_one(wire: Wire) -> None:
    wire.put("a/b", b"data")
    o = f"/storage/v1/b/{wire.bucket}/o"
    patch = json.dumps({"metadata": {"k": "v"}})
    text = batch(
        wire,
        f"PATCH {o}/a%2Fb HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{patch}",
        f"GET {o}/missing HTTP/1.1\r\n\r\n",
        "GET /nothing HTTP/1.1\r\n\r\n",
        f"DELETE {wire.server.url}{o}/a%2Fb HTTP/1.1\r\n\r\n",
    ).text
    assert [line.split()[1] for line in text.splitlines() if line.startswith("HTTP/1.1 ")] == [
        "200",
        "404",
        "404",
        "204",
    ]
    assert "Content-ID: <response-x+3>" in text
    assert '"metadata":{"k":"v"}' in text
    assert wire.names() == []


@pytest.mark.parametrize(
    "call", ["", "nonsense", "GET http://[ HTTP/1.1\r\n\r\n", "GET /storage/v1/b/abc/o/x?alt=media HTTP/1.1\r\n\r\n"]
)
def test_gcs_batch_refuses_malformed_ones(wire: Wire, call: str) -> None:
    assert error(batch(wire, call)) == (400, "badRequest")
    assert error(batch(wire, *["GET /storage/v1/b/abc HTTP/1.1\r\n\r\n"] * 101)) == (400, "badRequest")


_ROUTES = sorted({(method, path) for method, path, *_ in (*_JSON, *_MEDIA, *_XML)})
_QUERY = st.dictionaries(
    st.sampled_from(
        [
            *("name", "uploadType", "upload_id", "uploads", "uploadId", "partNumber", "project", "prefix", "delimiter"),
            *(
                "pageToken",
                "maxResults",
                "fields",
                "matchGlob",
                "generation",
                "ifGenerationMatch",
                "startOffset",
                "alt",
            ),
        ]
    ),
    st.one_of(
        st.text(max_size=5), st.integers().map(str), st.sampled_from(["media", "multipart", "resumable", "1", "a/"])
    ),
    max_size=4,
)
_FIELDS = ["name", "metadata", "bindings", "sourceObjects", "destination", "iamConfiguration", "labels", "etag"]
_HEADERS = ["content-type", "range", "content-range", "x-goog-hash", "content-md5", "x-upload-content-length"]
_BODY = st.one_of(
    st.binary(max_size=50),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=3)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(_ROUTES),
    bucket=st.sampled_from(["fuzz-bucket", "missing", "%00", "."]),
    name=st.text(min_size=1, max_size=5).filter(lambda text: text not in (".", "..")),
    query=_QUERY,
    body=_BODY,
    headers=st.dictionaries(
        st.sampled_from(_HEADERS),
        st.sampled_from(["", "x", "bytes=0-", "bytes */*", "bytes 0-3/9", "multipart/related; boundary=b", "9"]),
        max_size=3,
    ),
)
def test_gcs_no_request_breaks_the_server(
    http: requests.Session,
    object_server: Any,
    route: tuple[str, str],
    bucket: str,
    name: str,
    query: dict[str, str],
    body: bytes,
    headers: dict[str, str],
) -> None:
    http.post(f"{object_server.url}/storage/v1/b?project=demo", json={"name": "fuzz-bucket"})
    method, path = route
    quoted = requests.utils.quote(name, safe="")
    for part, value in (("{bucket}", bucket), ("{toBucket}", "fuzz-bucket"), ("{object*}", quoted)):
        path = path.replace(part, value)
    path = path.replace("{object}", quoted).replace("{toObject}", quoted)
    answer = http.request(
        method, object_server.url + path, params=query, data=body, headers=headers, allow_redirects=False
    )
    assert answer.status_code < 500, answer.text

"""The XML API: objects at /BUCKET/OBJECT and multipart uploads."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

MIB = 1 << 20


class Uploads:
    """Multipart uploads of one bucket."""

    def __init__(self, http: requests.Session, server: Any, bucket: str) -> None:
        self.http = http
        self.root = f"{server.url}/{bucket}"
        self.incoming: Path = server.data_dir / "objects" / "incoming"

    def start(self, name: str, **headers: str) -> str:
        answer = self.http.post(f"{self.root}/{name}?uploads", headers=headers)
        assert answer.status_code == 200, answer.text
        return fields(answer)["UploadId"]

    def part(self, name: str, id_: str, number: int, data: bytes, **headers: str) -> requests.Response:
        url = f"{self.root}/{name}?partNumber={number}&uploadId={id_}"
        return self.http.put(url, data=data, headers=headers)

    def complete(self, name: str, id_: str, parts: list[tuple[int, str]], **headers: str) -> requests.Response:
        rows = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>"
        return self.http.post(f"{self.root}/{name}?uploadId={id_}", data=body, headers=headers)

    def unfinished(self) -> list[str]:
        root = ElementTree.fromstring(self.http.get(f"{self.root}?uploads").content)
        return [node.text or "" for node in root.iter() if node.tag.endswith("}UploadId")]


@pytest.fixture
def uploads(http: requests.Session, object_server: Any, bucket_name: str) -> Uploads:
    return Uploads(http, object_server, bucket_name)


def fields(answer: requests.Response) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in ElementTree.fromstring(answer.content)}


def error(answer: requests.Response) -> tuple[int, str]:
    assert ElementTree.fromstring(answer.content).tag == "Error"
    return answer.status_code, fields(answer)["Code"]


def test_xml_api_object(uploads: Uploads) -> None:
    url = f"{uploads.root}/dir/a%20b%2Fc"
    headers = {"content-type": "text/x", "x-goog-meta-key": "value", "x-goog-if-generation-match": "0"}
    made = uploads.http.put(url, data=b"0123456789", headers=headers)
    assert made.status_code == 200
    assert error(uploads.http.put(url, data=b"", headers=headers)) == (412, "PreconditionFailed")
    head = uploads.http.head(f"{uploads.root}/dir/a b/c")
    assert (head.headers["content-length"], head.headers["content-type"]) == ("10", "text/x")
    assert head.headers["x-goog-hash"] == made.headers["x-goog-hash"]
    part = uploads.http.get(url, headers={"range": "bytes=-3"})
    assert (part.status_code, part.content) == (206, b"789")
    assert uploads.http.delete(url).status_code == 204
    assert error(uploads.http.get(url)) == (404, "NoSuchKey")
    assert error(uploads.http.get(uploads.root + "-missing/x")) == (404, "NoSuchBucket")


def test_multipart_upload_takes_parts_in_any_order(uploads: Uploads) -> None:
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB + 3), b"end\r\n"]
    id_ = uploads.start("big", **{"content-type": "text/big", "x-goog-meta-key": "value"})
    assert uploads.unfinished() == [id_]
    uploads.part("big", id_, 1, b"replaced")
    tags = {number: uploads.part("big", id_, number, parts[number - 1]).headers["etag"] for number in (3, 1, 2)}
    listed = ElementTree.fromstring(uploads.http.get(f"{uploads.root}/big?uploadId={id_}").content)
    sizes = [node.text for node in listed.iter() if node.tag.endswith("}Size")]
    assert sizes == [str(len(part)) for part in parts]
    assert uploads.http.get(f"{uploads.root}/big").status_code == 404
    done = uploads.complete("big", id_, sorted(tags.items()))
    assert done.status_code == 200, done.text
    assert fields(done)["Key"] == "big"
    found = uploads.http.get(f"{uploads.root}/big")
    assert found.content == b"".join(parts)
    assert found.headers["x-goog-hash"] == done.headers["x-goog-hash"]
    assert found.headers["content-type"] == "text/big"
    assert uploads.unfinished() == []
    assert error(uploads.complete("big", id_, [])) == (404, "NoSuchUpload")


def test_multipart_upload_refuses_parts(uploads: Uploads) -> None:
    id_ = uploads.start("x")
    assert error(uploads.part("x", id_, 0, b"")) == (400, "InvalidArgument")
    assert error(uploads.part("x", id_, 10_001, b"")) == (400, "InvalidArgument")
    assert error(uploads.part("other", id_, 1, b"data")) == (404, "NoSuchUpload")
    wrong = uploads.part("x", id_, 1, b"data", **{"x-goog-hash": "crc32c=AAAAAA=="})
    assert error(wrong) == (400, "BadDigest")
    one = uploads.part("x", id_, 1, b"one").headers["etag"]
    md5 = hashlib.md5(b"two").digest()
    two = uploads.part("x", id_, 2, b"two", **{"content-md5": base64.b64encode(md5).decode()}).headers["etag"]
    assert two == f'"{md5.hex()}"'
    assert len(one) < len(two)  # no MD5 is computed for who says none
    assert error(uploads.complete("x", id_, [])) == (400, "MalformedXML")
    assert error(uploads.complete("x", id_, [(2, two), (1, one)])) == (400, "InvalidPartOrder")
    assert error(uploads.complete("x", id_, [(1, two)])) == (400, "InvalidPart")
    assert error(uploads.complete("x", id_, [(1, one), (3, two)])) == (400, "InvalidPart")
    assert error(uploads.complete("x", id_, [(1, one), (2, two)])) == (400, "EntityTooSmall")
    url = f"{uploads.root}/x?uploadId={id_}"
    entity = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
    for body in ("", "<a", entity, entity.encode("utf-16")):
        assert error(uploads.http.post(url, data=body)) == (400, "MalformedXML")
    assert uploads.complete("x", id_, [(2, two)]).status_code == 200
    assert uploads.http.get(f"{uploads.root}/x").content == b"two"


def test_multipart_upload_abort_drops_the_parts(uploads: Uploads) -> None:
    id_ = uploads.start("x")
    before = set(uploads.incoming.iterdir())
    uploads.part("x", id_, 1, b"data")
    assert set(uploads.incoming.iterdir()) > before
    url = f"{uploads.root}/x?uploadId={id_}"
    assert uploads.http.delete(url).status_code == 204
    assert set(uploads.incoming.iterdir()) == before
    assert error(uploads.http.delete(url)) == (404, "NoSuchUpload")
    assert uploads.unfinished() == []

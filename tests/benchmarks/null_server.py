"""Run by the benchmarks as a process: a Cloud Storage that keeps no bytes and costs nearly nothing.

Its arguments are seconds, a certificate and its key; it prints two ports, of HTTP and of HTTPS.

What the service does on its own machines must not weigh on a comparison of clients on this one: contents are counted
and dropped, and an MD5 (gcloud wants one, and it takes longer than the transfer) is computed once for a content and
then remembered. Every answer comes later by the seconds given.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import re
import ssl
import sys
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import google_crc32c

from aip_magics.crc32c import combine_crc32c, encode_crc32c

TIME = "2026-01-01T00:00:00.000Z"
Answer = tuple[int, dict[str, str], bytes]
Piece = tuple[str, int]  # CRC32C in base64, size in bytes


class Bucket:
    """The objects of the one bucket, and the uploads that are not complete yet."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, dict[int, Piece]] = {}
        self.sessions: dict[str, tuple[str, bytes]] = {}
        self._md5: dict[Piece, str] = {}
        self._generations = itertools.count(1)
        self._ids = itertools.count(1)

    def id(self) -> str:
        return f"u{next(self._ids)}"

    def keep(self, name: str, piece: Piece, **more: Any) -> dict[str, Any]:
        generation = str(next(self._generations))
        self.objects[name] = {
            "kind": "storage#object",
            "id": f"bucket/{name}/{generation}",
            "bucket": "bucket",
            "name": name,
            "generation": generation,
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(piece[1]),
            "crc32c": piece[0],
            "etag": generation,
            "timeCreated": TIME,
            "updated": TIME,
            **more,
        }
        return self.objects[name]

    def store(self, name: str, content: bytes, metadata: dict[str, Any]) -> dict[str, Any]:
        piece = (encode_crc32c(google_crc32c.value(content)), len(content))
        assert metadata.get("crc32c") in (None, piece[0])
        if piece not in self._md5:
            digest = hashlib.md5(content, usedforsecurity=False).digest()
            self._md5[piece] = base64.b64encode(digest).decode()
        return self.keep(name, piece, md5Hash=self._md5[piece], metadata=metadata.get("metadata") or {})


class Connection(asyncio.Protocol):
    """One connection of a client; requests come one after the other, each with its length."""

    def __init__(self, bucket: Bucket, delay: float, scheme: str) -> None:
        self._bucket = bucket
        self._scheme = scheme
        self._delay = delay
        self._head = b""
        self._missing = 0  # bytes of the body that is arriving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            self._begin(head.decode())
            data = rest
        if self._is_part:
            self._crc = google_crc32c.extend(self._crc, data)
        else:
            self._body.append(data)
        self._missing -= len(data)
        if not self._missing:
            self._respond()

    def _begin(self, head: str) -> None:
        line, *fields = head.split("\r\n")
        self._method, self._target, _ = line.split(" ")
        self._headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        self._missing = self._size = int(self._headers.get("content-length", "0"))
        self._is_part = "partNumber=" in self._target
        self._body: list[bytes] = []
        self._crc = 0

    def _respond(self) -> None:
        parts = urlsplit(self._target)
        status, headers, content = self._answer(self._method, parts.path, dict(parse_qsl(parts.query, True)))
        lines = [f"HTTP/1.1 {status} .", f"content-length: {len(content)}", *(f"{k}: {v}" for k, v in headers.items())]
        answer = "\r\n".join([*lines, "", ""]).encode() + content
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)

    # The API

    def _answer(self, method: str, path: str, query: dict[str, str]) -> Answer:
        if found := re.fullmatch(r"(?:/(?:upload|resumable/upload))?/storage/v1/b/bucket/o/?(.*)", path):
            if path.startswith("/storage"):
                return self._object(method, found[1], query)
            return self._upload(method, query)
        if path.startswith("/storage/v1/b"):
            return _json(
                {
                    "name": "bucket",
                    "kind": "storage#bucket",
                    "location": "US",
                    "locationType": "region",
                    "storageClass": "STANDARD",
                }
            )
        return self._xml(method, unquote(path.removeprefix("/bucket/")), query)

    def _object(self, method: str, rest: str, query: dict[str, str]) -> Answer:
        objects = self._bucket.objects
        name, _, verb = rest.partition("/")
        name = unquote(name)
        if not name:
            prefix = query.get("prefix", "")
            return _json({"items": [value for key, value in objects.items() if key.startswith(prefix)]})
        if verb == "compose":
            sources = [objects[each["name"]] for each in json.loads(b"".join(self._body))["sourceObjects"]]
            pieces = [(each["crc32c"], int(each["size"])) for each in sources]
            whole = (combine_crc32c(pieces), sum(size for _, size in pieces))
            return _json(self._bucket.keep(name, whole, componentCount=len(pieces)))
        if name not in objects:
            return 404, {}, b'{"error": {"code": 404, "message": "No such object."}}'
        if method == "DELETE":
            del objects[name]
            return 204, {}, b""
        if method == "PATCH":
            objects[name].update(json.loads(b"".join(self._body)))
        return _json(objects[name])

    def _upload(self, method: str, query: dict[str, str]) -> Answer:
        body, sessions = b"".join(self._body), self._bucket.sessions
        if method == "DELETE":
            sessions.pop(query["upload_id"], None)
            return 499, {}, b""
        if method == "PUT":
            name, content = sessions[query["upload_id"]]
            content += body
            sessions[query["upload_id"]] = (name, content)
            total = self._headers.get("content-range", "").rpartition("/")[2]
            if total == "*" or (total and len(content) < int(total)):
                return 308, {"range": f"bytes=0-{len(content) - 1}"} if content else {}, b""
            del sessions[query["upload_id"]]
            return _json(self._bucket.store(name, content, {}))
        if query["uploadType"] == "resumable":
            given = json.loads(body or b"{}")
            id_ = self._bucket.id()
            sessions[id_] = (query.get("name") or given["name"], b"")
            base = f"{self._scheme}://{self._headers['host']}/upload/storage/v1/b/bucket/o"
            return 200, {"location": f"{base}?uploadType=resumable&upload_id={id_}"}, b""
        boundary = re.search(r"boundary=[\"']?([^\"';]+)", self._headers["content-type"])
        assert boundary
        parts = list(itertools.islice(re.finditer(rb"\r?\n\r?\n", body), 2))  # each ends the head of a part
        given = json.loads(body[parts[0].end() : body.index(b"--" + boundary[1].encode(), parts[0].end())])
        end = body.rindex(b"--" + boundary[1].encode() + b"--")
        content = body[parts[1].end() : end - (2 if body[end - 2 : end] == b"\r\n" else 1)]
        return _json(self._bucket.store(query.get("name") or given["name"], content, given))

    def _xml(self, method: str, name: str, query: dict[str, str]) -> Answer:
        uploads = self._bucket.parts
        if "uploads" in query:
            id_ = self._bucket.id()
            if method == "POST":
                uploads[id_] = {}
                return _xml(
                    "InitiateMultipartUploadResult",
                    f"<Bucket>bucket</Bucket><Key>{name}</Key><UploadId>{id_}</UploadId>",
                )
            return _xml("ListMultipartUploadsResult")
        if "uploadId" not in query:  # obstore's upload of a small object
            made = self._bucket.store(name, b"".join(self._body), {})
            return 200, {"etag": f'"{made["etag"]}"', "x-goog-generation": made["generation"]}, b""
        id_ = query["uploadId"]
        if id_ not in uploads:
            return 404, {}, b""
        if method == "PUT":
            piece = (encode_crc32c(self._crc), self._size)
            uploads[id_][int(query["partNumber"])] = piece
            return 200, {"etag": f'"{self._crc:x}"', "x-goog-hash": f"crc32c={piece[0]}"}, b""
        pieces = [piece for _, piece in sorted(uploads.pop(id_).items())]
        if method == "DELETE":
            return 204, {}, b""
        whole = (combine_crc32c(pieces), sum(size for _, size in pieces))
        made = self._bucket.keep(name, whole, componentCount=len(pieces))
        told = {"x-goog-generation": made["generation"], "x-goog-hash": f"crc32c={whole[0]}"}
        return _xml("CompleteMultipartUploadResult", f"<ETag>&quot;{made['etag']}&quot;</ETag>", **told)


def _json(value: object) -> Answer:
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def _xml(tag: str, inner: str = "", **headers: str) -> Answer:
    text = f'<{tag} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{tag}>'
    return 200, {"content-type": "application/xml", **headers}, text.encode()


async def main() -> None:
    bucket, delay, loop = Bucket(), float(sys.argv[1]), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bucket, delay, "http"), "127.0.0.1", 0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:4])
    secure = await loop.create_server(lambda: Connection(bucket, delay, "https"), "127.0.0.1", 0, ssl=context)
    for each in (server, secure):
        sys.stdout.write(f"{each.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

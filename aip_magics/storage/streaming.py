"""Files of 8 to 64 MiB: a resumable session, one request with all that is missing, from where the server says it is."""

from __future__ import annotations

import contextlib
import json
import re

from aip_magics.i18n import gettext as _
from aip_magics.storage.bodies import TYPE, Body
from aip_magics.storage.checksums import Digest
from aip_magics.storage.journal import Entry
from aip_magics.storage.objects import Remote
from aip_magics.storage.retry import Again
from aip_magics.storage.sending import Restart, Sending
from aip_magics.storage.store import Answer, Refused, Store


def stream(sending: Sending, left: Entry | None = None) -> Remote:
    """Send a file in a session: the one that an earlier run left, of this very content, or a new one."""
    sessions = [(left.session, left.digest)] if left is not None and left.session and left.digest else []

    def once() -> Remote:
        if sessions:
            return _Session(sending, *sessions.pop(), known=False).run()
        digest = sending.digest()
        return _Session(sending, _start(sending, digest), digest).run()

    made = sending.until_done(once)
    sending.transfer.journal.forget(sending.file.name)
    return made


def cancel_session(store: Store, url: str, where: str) -> None:
    """Drop a resumable session; gone already is fine."""
    with contextlib.suppress(Again):  # it costs nothing and ends by itself in a week
        store.once("DELETE", url, where=where, headers={"Content-Length": "0"}, fine=frozenset({404, 410, 499}))


def _start(sending: Sending, digest: Digest) -> str:
    """The URL of a new session."""
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Upload-Content-Type": TYPE,
        "X-Upload-Content-Length": str(sending.file.size),
    }
    body = json.dumps(sending.metadata(digest)).encode()
    target = sending.upload_path("resumable")

    def start() -> str:
        answer = sending.store.once("POST", target, where=sending.where, body=body, headers=headers)
        if "location" not in answer.headers:
            raise Again(_("an answer without {name}", name="Location"))
        return answer.headers["location"]

    url = sending.persist(start)
    sending.transfer.journal.session(sending.file.name, sending.key, url, digest)
    return url


class _Session:
    """`offset` bytes are known to have arrived. `known` is False as long as the server knows more than we do."""

    def __init__(self, sending: Sending, url: str, digest: Digest, *, known: bool = True) -> None:
        self._sending = sending
        self._url = url
        self._digest = digest
        self._known = known
        self._offset = 0

    def run(self) -> Remote:
        """The object. Restart where the session is gone or the bytes were damaged."""
        try:
            made = self._sending.persist(self._try, lambda: self._offset)
        except Refused as refused:
            self._move_to(0)
            if refused.code in (404, 410):
                raise Restart(refused.text) from None
            made = self._sending.settled(refused, self._digest)
        self._move_to(self._sending.file.size)
        return self._sending.checked(made, self._digest.crc32c)

    def _try(self) -> Remote:
        size = self._sending.file.size
        if not self._known:
            answer = self._put({"Content-Range": f"bytes */{size}"})
            if answer.status != 308:
                return Remote.read(answer.json())
            self._move_to(_received(answer))
        self._known = False
        body = self._sending.body(self._offset, size - self._offset)
        try:
            answer = self._put({"Content-Range": f"bytes {self._offset}-{size - 1}/{size}", "Content-Type": TYPE}, body)
        finally:
            body.undo()  # what arrived is what the server says
        if answer.status != 308:
            self._move_to(size)
            return Remote.read(answer.json())
        self._move_to(_received(answer))
        raise Again(_("not all bytes were taken"))

    def _put(self, headers: dict[str, str], body: Body | None = None) -> Answer:
        return self._sending.store.once(
            "PUT",
            self._url,
            where=self._sending.where,
            body=body,
            length=None if body is None else len(body),
            headers=headers,
            fine=frozenset({308}),
        )

    def _move_to(self, offset: int) -> None:
        if offset > self._sending.file.size:
            raise Restart(_("the session holds more than the file"))
        self._sending.moved(offset - self._offset)
        self._offset = offset


def _received(answer: Answer) -> int:
    """How many bytes a session has: `Range: bytes=0-N`, no header = none."""
    found = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("range", "").strip())
    return int(found[1]) + 1 if found else 0

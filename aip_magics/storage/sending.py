"""One file to one object, and the plainest way there: metadata, checksum and content in one request."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import paths
from aip_magics.storage.bodies import TYPE, Body, related
from aip_magics.storage.checksums import Digest, Hasher
from aip_magics.storage.digests import Digests
from aip_magics.storage.journal import Journal, file_key
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import STRONG, Remote, find
from aip_magics.storage.plan import LocalFile, unreadable
from aip_magics.storage.retry import Again
from aip_magics.storage.store import Answer, Refused
from aip_magics.storage.work import Work

T = TypeVar("T")

VERY_SMALL = 256 << 10  # bytes up to which a file is read in one go
SMALL = 8 << 20  # bytes up to which a file goes in one request
MOST_RESTARTS = 5  # of one object, each for a reason that a second try can mend


class Restart(Exception):
    """The upload of this object has to begin anew: its session is gone, or its bytes were damaged on the way."""


@dataclasses.dataclass(frozen=True)
class Multipart:
    """A request that makes an object: `content` between `head` and `tail`, None where it is read as it is sent."""

    target: str
    headers: dict[str, str]
    head: bytes
    content: bytes | None
    tail: bytes
    digest: Digest


class Transfer:
    """What the tasks of one upload share."""

    def __init__(self, work: Work, destination: GsUri, journal: Journal, digests: Digests) -> None:
        self.store = work.store
        self.meter = work.meter
        self.crew = work.crew
        self.destination = destination
        self.journal = journal
        self.digests = digests


class Sending:
    """The upload of one file. `generation` is what the object has now, 0 where it is not there."""

    def __init__(self, transfer: Transfer, file: LocalFile, generation: int) -> None:
        self.transfer = transfer
        self.store = transfer.store
        self.file = file
        self.bucket = transfer.destination.bucket
        self.name = transfer.destination.prefix + file.name
        self.where = f"gs://{self.bucket}/{self.name}"
        self.generation = generation
        self.restarts = 0
        self.status = _readable(file.path, os.stat)
        self.key = file_key(file.path, self.status)
        if self.status.st_size != file.size:
            raise self.changed()

    def small(self, after: Again | None = None) -> Remote:
        """In one request that holds the checksum, too: whatever arrives damaged is refused.

        `after` is the fault of a first try, where there was one.
        """
        faults = [after] if after else []
        return self.until_done(lambda: self._small(faults))

    def multipart(self) -> Multipart:
        """That request, as the file is now."""
        digest, content = self._small_content()
        # So long a random boundary is in no content.
        boundary = os.urandom(24).hex()
        head, tail = related(boundary, self.metadata(digest))
        headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
        return Multipart(self.upload_path("multipart"), headers, head, content, tail, digest)

    def _small(self, faults: list[Again]) -> Remote:
        wanted = self.multipart()
        body = self.body(0, self.file.size, head=wanted.head, tail=wanted.tail, content=wanted.content)

        def insert() -> Remote:
            if faults:
                raise faults.pop()
            try:
                answer = self.store.once(
                    "POST", wanted.target, where=self.where, body=body, length=len(body), headers=wanted.headers
                )
            except Again:
                body.undo()
                raise
            return self.made(answer, wanted.digest)

        try:
            return self.persist(insert)
        except Refused as refused:
            body.undo()
            made = self.settled(refused, wanted.digest)
            self.moved(self.file.size)
            return made

    def made(self, answer: Answer, digest: Digest) -> Remote:
        """The object that an answer speaks of, if it is what was sent."""
        return self.checked(Remote.read(answer.json()), digest.crc32c)

    def _small_content(self) -> tuple[Digest, bytes | None]:
        """The digest, and of a very small file its bytes: it is read once."""
        if self.file.size > VERY_SMALL:
            return self.digest(), None
        begun = self.transfer.digests.now()
        content = _readable(self.file.path, Path.read_bytes)
        if len(content) != self.file.size:
            raise self.changed()
        hasher = Hasher()
        hasher.update(content)
        digest = hasher.digest()
        self.transfer.digests.put(self.file.path, self.status, digest, begun)
        return digest, content

    # What all ways have in common

    def body(self, start: int, size: int, **more: Any) -> Body:
        """Bytes of the file for one request, that stops when the transfer does."""
        self.transfer.crew.check()
        return Body(self.file.path, start, size, self.left, self.changed, **more)

    def left(self, count: int) -> None:
        """Bytes left the machine, on this thread's connection; Stopped when the transfer is to stop."""
        self.moved(count)
        if count > 0:
            self.store.sockets.touch()
            self.transfer.crew.check()

    def moved(self, count: int) -> None:
        """`count` more bytes are where they should be (or, negative, are not)."""
        self.transfer.meter.add(count, self.file.name)

    def digest(self) -> Digest:
        """The file's digest, remembered or read now."""
        digest = _readable(self.file.path, self.transfer.digests.of)
        if digest.size != self.file.size:
            raise self.changed()
        return digest

    def read_again(self) -> Digest:
        """The file's digest as it is now, whatever is remembered."""
        return _readable(self.file.path, self.transfer.digests.read)

    def known(self) -> Digest | None:
        """The file's digest if it need not be read for it."""
        return _readable(self.file.path, self.transfer.digests.known)

    def metadata(self, digest: Digest) -> dict[str, Any]:
        """The Object resource to be made: its checksum makes the server refuse what was damaged."""
        return {
            "name": self.name,
            "contentType": TYPE,
            "crc32c": digest.crc32c,
            "metadata": {STRONG: digest.strong},
        }

    def upload_path(self, kind: str) -> str:
        return f"{paths.of_uploads(self.bucket)}?uploadType={kind}&ifGenerationMatch={self.generation}"

    def until_done(self, work: Callable[[], Remote]) -> Remote:
        """Do it, from the beginning again where that helps."""
        while True:
            try:
                return work()
            except Restart as reason:
                self.restart(str(reason))

    def restart(self, reason: str) -> None:
        """Count a beginning anew; StorageError where there were too many or the file is another one now."""
        self.restarts += 1
        if self.restarts > MOST_RESTARTS:
            text = _("the upload failed again and again: {cause}", cause=reason)
            fix = _("run the same again when it works: it continues from there")
            raise StorageError(text, where=self.where, fix=fix)
        self.check_unchanged()

    def persist(self, work: Callable[[], T], gained: Callable[[], int] = lambda: 0) -> T:
        """`work`, tried again by the rules of the store's policy; Stopped when the transfer is."""
        return self.store.persist(work, where=self.where, gained=gained)

    def settled(self, refused: Refused, digest: Digest) -> Remote:
        """After a refusal: the object, where it holds this content all the same.

        After a 412 our own earlier try got through though its answer was lost, or somebody else wrote the same. Restart
        where the bytes were damaged on the way. Otherwise the refusal itself.
        """
        if refused.code == 412:
            return self.settle(refused, digest.crc32c)
        # `Provided CRC32C … doesn't match calculated CRC32C …`
        if refused.code == 400 and "crc32c" in refused.text.lower():
            if self.read_again() != digest:
                raise self.changed()
            raise Restart(refused.text)
        raise refused

    def settle(self, refused: Refused, crc32c: str) -> Remote:
        """The object, where it has our content; otherwise the refusal."""
        there = find(self.store, self.bucket, self.name)
        if there is not None and (there.size, there.crc32c) == (self.file.size, crc32c):
            return there
        raise refused

    def checked(self, made: Remote, crc32c: str) -> Remote:
        """The object as the server says it is, if that is what was sent."""
        if (made.size, made.crc32c) != (self.file.size, crc32c):
            text = _("what arrived is not what was sent: its checksum is {crc32c}", crc32c=made.crc32c)
            raise StorageError(text, where=self.where, fix=_("run it again"))
        return made

    def check_unchanged(self) -> None:
        """StorageError where the file is not the one it was when the upload began."""
        if file_key(self.file.path, _readable(self.file.path, os.stat)) != self.key:
            raise self.changed()

    def changed(self) -> StorageError:
        text = _("the file changed while it was being uploaded")
        return StorageError(text, where=str(self.file.path), fix=_("run it again when nothing writes to it"))


def _readable(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except OSError as error:
        raise unreadable(path, error) from error

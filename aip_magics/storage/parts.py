"""Files above 64 MiB: parts in parallel (the XML API's multipart upload), and a checksum of the whole without a second
reading."""

from __future__ import annotations

import functools
import html
import re
import threading
import urllib.parse
from collections.abc import Callable

from aip_magics.crc32c import combine_crc32c
from aip_magics.i18n import gettext as _
from aip_magics.storage import paths
from aip_magics.storage.bodies import TYPE
from aip_magics.storage.checksums import BLOCK, Digest, Hasher, strong_hash
from aip_magics.storage.crew import Task
from aip_magics.storage.journal import Entry, Journal, Part
from aip_magics.storage.objects import STRONG, Remote, delete, describe, find
from aip_magics.storage.retry import Again
from aip_magics.storage.sending import Sending
from aip_magics.storage.store import PAGE, Answer, Refused, Store
from aip_magics.storage.streaming import stream

_FRESH = 0.1  # seconds for which a look at the object counts
_MOST_PARTS = 5_000  # the service takes 10,000


class PartsUpload:
    """A multipart upload of one file: `start` gives the tasks, the last of which completes it and calls `done`."""

    def __init__(self, sending: Sending, done: Callable[[Remote], None], left: Entry | None = None) -> None:
        self.sending = sending
        self._done = done
        self._lock = threading.Lock()
        self._path = paths.of_parts(sending.bucket, sending.name)
        self._left = left
        self._id = ""
        self._size = 0  # of a part, in bytes
        self._parts: dict[int, Part] = {}
        self._digest: Digest | None = None  # if it was known in time: then it goes along, and the parts need none
        self._pending = 0
        self._lost = False  # the upload was aborted by somebody else
        self._seen: tuple[float, Remote | None] = (float("-inf"), None)  # when we looked what is there, and what was

    def start(self) -> list[Task]:
        """Begin, or go on with what was left. Where the other end knows no multipart uploads, it is one stream."""
        left, self._left = self._left, None
        if left is not None and left.upload and left.file == self.sending.key:
            self._id, self._size = left.upload, left.part_size
            self._parts = {number: part for number, part in left.parts.items() if part.size == self._bounds(number)[1]}
            self.sending.transfer.meter.found(sum(part.size for part in self._parts.values()))
        else:
            self._size = _part_size(self.sending.file.size)
            self._parts = {}
            self._digest = self.sending.known()
            try:
                self._id = self._begin()
            except Refused:
                self.sending.transfer.journal.forget(self.sending.file.name)
                return [lambda: self._done(stream(self.sending))]
        count = -(-self.sending.file.size // self._size)
        missing = [number for number in range(1, count + 1) if number not in self._parts]
        self._lost = False
        self._pending = len(missing) + 1
        return [*(functools.partial(self._send_part, number) for number in missing), self._look_ahead]

    def _begin(self) -> str:
        sending, journal = self.sending, self.sending.transfer.journal
        # Written down before it is asked for: a kill in between leaves something to look for.
        journal.multipart(sending.file.name, sending.key, "", self._size)
        headers = {"Content-Type": TYPE}
        if self._digest is not None:
            headers[f"x-goog-meta-{STRONG}"] = self._digest.strong
        asked: list[bool] = []

        def ask() -> str:
            if asked:  # the answer may have been lost, not the request
                drop_unknown(sending.store, sending.bucket, sending.name, journal)
            asked.append(True)
            answer = sending.store.once("POST", f"{self._path}?uploads", where=sending.where, headers=headers)
            return _tag(answer, "UploadId")

        id_ = sending.persist(ask)
        journal.multipart(sending.file.name, sending.key, id_, self._size)
        return id_

    def _bounds(self, number: int) -> tuple[int, int]:
        """First byte and size of a part."""
        first = (number - 1) * self._size
        return first, min(self._size, self.sending.file.size - first)

    def _send_part(self, number: int) -> None:
        try:
            part = self.sending.persist(lambda: self._try_part(number))
        except Refused as refused:
            if refused.code != 404:
                raise
            part = None
        if part is not None:
            self.sending.transfer.journal.part(self.sending.file.name, number, part)
        with self._lock:
            if part is None:
                self._lost = True
            else:
                self._parts[number] = part
        self._one_done()

    def _look_ahead(self) -> None:
        """While the last parts are on their way: it saves a round trip after them."""
        self._look()
        self._one_done()

    def _look(self) -> Remote | None:
        there = find(self.sending.store, self.sending.bucket, self.sending.name)
        self._seen = (self.sending.store.clock(), there)
        return there

    def _one_done(self) -> None:
        with self._lock:
            self._pending -= 1
            last = self._pending == 0
        if last:
            self._restart() if self._lost else self._complete()

    def _try_part(self, number: int) -> Part:
        first, size = self._bounds(number)
        hasher = Hasher(strong=self._digest is None)
        body = self.sending.body(first, size, hasher=hasher)
        target = f"{self._path}?{urllib.parse.urlencode({'partNumber': number, 'uploadId': self._id})}"
        try:
            answer = self.sending.store.once("PUT", target, where=self.sending.where, body=body, length=size)
            # Damaged on the way: this part is sent again, the others stay.
            if (crc := _hash(answer)) and crc != hasher.crc32c:
                raise Again(_("a part was damaged on the way"))
        except BaseException:
            body.undo()
            raise
        blocks = tuple(block.hex() for block in hasher.blocks())
        return Part(answer.headers["etag"].strip('"'), hasher.crc32c, size, blocks)

    def _complete(self) -> None:
        sending = self.sending
        sending.check_unchanged()
        parts = [self._parts[number] for number in sorted(self._parts)]
        crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
        if self._digest is not None and self._digest.crc32c != crc32c:
            self._abort()
            sending.read_again()  # or the same would be remembered for ever
            raise sending.changed()
        when, there = self._seen
        if sending.store.clock() - when > _FRESH:
            there = self._look()
        if (there.generation if there else 0) != sending.generation:
            # The service's multipart uploads take no preconditions: so somebody else's object is seen before.
            made: Remote | None = self._theirs(there, crc32c)
        else:
            made = sending.persist(lambda: self._try_complete(crc32c))
        if made is None:
            return self._restart()
        if all(part.blocks for part in parts):
            strong = strong_hash(bytes.fromhex(block) for part in parts for block in part.blocks)
            describe(sending.store, sending.bucket, made, strong)
        sending.transfer.journal.forget(sending.file.name)
        return self._done(made)

    def _theirs(self, there: Remote | None, crc32c: str) -> Remote:
        """The object of somebody else, where it has our content; otherwise 412 as for any other object."""
        self._abort()
        if there is None or (there.size, there.crc32c) != (self.sending.file.size, crc32c):
            raise Refused(412, _("the object is not the one that was there"), self.sending.where)
        return there

    def _abort(self) -> None:
        abort(self.sending.store, self.sending.bucket, self.sending.name, self._id)
        self.sending.transfer.journal.forget(self.sending.file.name)

    def _try_complete(self, crc32c: str) -> Remote | None:
        """The object; None where it has to be sent again: the upload is gone, or something else was made of it."""
        sending = self.sending
        try:
            generation, said = self._ask_to_complete()
        except Refused as refused:
            if refused.code == 412:
                return self._theirs(find(sending.store, sending.bucket, sending.name), crc32c)
            if refused.code != 404:
                raise
            generation, said = None, ""  # it is complete and the answer was lost, or it was aborted
        if generation is not None and said == crc32c:
            return Remote(sending.name, sending.file.size, crc32c, generation)
        made = find(sending.store, sending.bucket, sending.name)
        if made is None or (made.size, made.crc32c) == (sending.file.size, crc32c):
            return made
        if made.generation == generation:
            delete(sending.store, sending.bucket, sending.name, made.generation)
            sending.generation = 0
        return None

    def _ask_to_complete(self) -> tuple[int | None, str]:
        """One try; the generation and CRC32C of what was made, where the answer says them."""
        sending = self.sending
        target = f"{self._path}?{urllib.parse.urlencode({'uploadId': self._id})}"
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{html.escape(part.etag)}&quot;</ETag></Part>"
            for number, part in sorted(self._parts.items())
        )
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        condition = {"x-goog-if-generation-match": str(sending.generation)}
        try:
            answer = sending.store.once(
                "POST", target, where=sending.where, body=body, headers={**headers, **condition}
            )
        except Refused as refused:
            if refused.code not in (400, 501):
                raise
            # The other end may know no conditions here; what was there was looked at before.
            answer = sending.store.once("POST", target, where=sending.where, body=body, headers=headers)
        generation = answer.headers.get("x-goog-generation", "")
        return (int(generation) if generation.isdecimal() else None), _hash(answer)

    def _restart(self) -> None:
        """The upload was aborted by somebody else, or its bytes are not ours: once more from the beginning."""
        sending = self.sending
        sending.moved(-sum(part.size for part in self._parts.values()))
        sending.restart(_("its multipart upload was taken away"))
        sending.transfer.crew.add(self.start(), first=True)


def abort(store: Store, bucket: str, name: str, id_: str) -> None:
    """Drop a multipart upload and its parts; gone already is fine."""
    target = f"{paths.of_parts(bucket, name)}?{urllib.parse.urlencode({'uploadId': id_})}"
    try:
        store.call("DELETE", target, where=f"gs://{bucket}/{name}")
    except Refused as refused:
        if refused.code != 404:
            raise


def drop_unknown(store: Store, bucket: str, name: str, journal: Journal) -> None:
    """Abort the multipart uploads of this very object that no run on this machine works on."""
    known = journal.foreign | {entry.upload for entry in journal.open.values()}
    for id_ in unfinished(store, bucket, name):
        if id_ not in known:
            abort(store, bucket, name, id_)


def unfinished(store: Store, bucket: str, name: str) -> list[str]:
    """The ids of the multipart uploads of this very object."""
    query = urllib.parse.urlencode({"prefix": name})
    answer = store.call("GET", f"{paths.of_parts(bucket)}?uploads&{query}", where=f"gs://{bucket}/{name}", most=PAGE)
    text = answer.data.decode("utf-8", "replace")
    rows = re.findall(r"<Upload>.*?<Key>(.*?)</Key>.*?<UploadId>(.*?)</UploadId>.*?</Upload>", text, re.DOTALL)
    return [id_ for key, id_ in rows if html.unescape(key) == name]


def _part_size(size: int) -> int:
    """A whole number of blocks, so that the parts' hashes make up the file's; 8 MiB up to 40 GB."""
    return BLOCK * max(1, -(-size // (_MOST_PARTS * BLOCK)))


def _tag(answer: Answer, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", answer.data.decode("utf-8", "replace"), re.DOTALL)
    if not found:
        raise Again(_("an answer without {name}", name=tag))
    return found[1]


def _hash(answer: Answer) -> str:
    """The CRC32C that the answer says, empty where it says none."""
    found = re.search(r"crc32c=([A-Za-z0-9+/=]+)", answer.headers.get("x-goog-hash", ""))
    return found[1] if found else ""

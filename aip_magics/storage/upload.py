"""Carrying an upload plan out."""

from __future__ import annotations

import dataclasses
import functools
import threading
from pathlib import Path
from typing import ClassVar, Literal

from aip_magics.errors import Interrupted
from aip_magics.i18n import gettext as _
from aip_magics.storage.crew import Task
from aip_magics.storage.digests import Digests
from aip_magics.storage.journal import Entry, Journal
from aip_magics.storage.meter import OnProgress
from aip_magics.storage.objects import Remote, delete, rewrite
from aip_magics.storage.parts import PartsUpload, abort, drop_unknown
from aip_magics.storage.plan import LARGE, Copy, LocalFile, UploadPlan
from aip_magics.storage.retry import Again
from aip_magics.storage.sending import SMALL, VERY_SMALL, Sending, Transfer
from aip_magics.storage.store import Refused, Store
from aip_magics.storage.streaming import cancel_session, stream
from aip_magics.storage.work import Work

Kind = Literal["uploaded", "copied", "kept"]
MANY = 32  # very small files; fewer are as soon sent by a thread each
_CLEAN_UP_SECONDS = 0.08  # what a stop may spend on telling the server; the rest is done by the next run


@dataclasses.dataclass(frozen=True)
class Stored:
    """An object as it lies at the destination now. `name` is relative to it, `crc32c` base64, `size` in bytes."""

    panel_kind: ClassVar[str] = "object"
    name: str
    uri: str
    generation: int
    crc32c: str
    size: int
    kind: Kind


def upload(
    store: Store,
    plan: UploadPlan,
    *,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    journal: Path | None = None,
    digests: Digests | None = None,
) -> tuple[Stored, ...]:
    """Carry the plan out; returns what lies at the destination, by name.

    Every object is written only while it is still what was listed (`ifGenerationMatch`), and is checked by the server.
    Files that only the destination has are deleted last. `progress` is called on this thread, about twenty times a
    second while something moves. Setting `cancel`, or KeyboardInterrupt, stops at once and leaves no unfinished
    multipart upload behind. What a failed or killed run left in the folder `journal` is taken up by the next one.

    StorageError names the file and how to go on; Interrupted when it was cancelled.
    """
    with Journal(journal, f"{store.endpoint} {plan.destination}") as kept, digests or Digests() as known:
        run = _Run(store, plan, kept, known, progress, cancel)
        try:
            return run.all()
        except (KeyboardInterrupt, Interrupted):
            run.clean_up()
            raise
        except BaseException:
            kept.keep()
            raise


class _Run:
    def __init__(
        self,
        store: Store,
        plan: UploadPlan,
        journal: Journal,
        digests: Digests,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> None:
        self.store = store
        self.plan = plan
        self.journal = journal
        self.work = Work(store, plan.bytes_to_send, len(plan.send) + len(plan.copy), progress, cancel, self._stopped)
        self.meter = self.work.meter
        self.transfer = Transfer(self.work, plan.destination, journal, digests)
        self._made: dict[str, Stored] = {}

    def all(self) -> tuple[Stored, ...]:
        for file in self.plan.keep:
            self._stored(file.name, self.plan.remote[file.name], "kept")
        self._drop_stale()
        by_size = sorted(self.plan.send, key=lambda file: file.size, reverse=True)
        tiny = [file for file in by_size if file.size <= VERY_SMALL]
        if len(tiny) < MANY or not self.store.direct:
            tiny = []
        tasks: list[Task] = [functools.partial(self._copy, copy) for copy in self.plan.copy]
        tasks += [functools.partial(self._send, file) for file in by_size[: len(by_size) - len(tiny)]]
        tasks += [functools.partial(self._send_tiny, tiny)] if tiny else []
        self.work.run(tasks)
        if self.plan.remove:
            self.work.run(functools.partial(self._remove, remote) for remote in self.plan.remove)
        return tuple(self._made[name] for name in sorted(self._made))

    def clean_up(self) -> None:
        """After a stop: drop what is unfinished; what the server does not confirm in time is left to the next run."""
        left = list(self.journal.open.values())
        threads = [threading.Thread(target=self._drop, args=(entry,), daemon=True) for entry in left]
        for thread in threads:
            thread.start()
        deadline = self.store.clock() + _CLEAN_UP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - self.store.clock()))
        if self.journal.open:
            self.journal.keep()

    def _stopped(self) -> Interrupted:
        return Interrupted(
            _("the upload was stopped"),
            where=str(self.plan.destination),
            fix=_("run the same again: what is there already is not sent again"),
        )

    def _send_tiny(self, files: list[LocalFile]) -> None:
        from aip_magics.storage.lane import Lane  # few uploads need it

        def rest(file: LocalFile, fault: Again | None) -> None:
            self.work.crew.add([lambda: self._send(file, fault)])

        Lane(self.transfer, files, self._sending, self._sent, rest).run()

    def _sending(self, file: LocalFile) -> Sending:
        there = self.plan.remote.get(file.name)
        return Sending(self.transfer, file, there.generation if there else 0)

    def _send(self, file: LocalFile, after: Again | None = None) -> None:
        sending = self._sending(file)
        left = self.journal.found.pop(file.name, None)
        if file.size <= SMALL:
            return self._sent(file, sending.small(after))
        if file.size > LARGE:
            upload = PartsUpload(sending, functools.partial(self._sent, file), left)
            return self.work.crew.add(upload.start(), first=True)
        return self._sent(file, stream(sending, left))

    def _sent(self, file: LocalFile, made: Remote) -> None:
        self.meter.file_done()
        self._stored(file.name, made, "uploaded")

    def _copy(self, copy: Copy) -> None:
        there = self.plan.remote.get(copy.name)
        target = (self.plan.destination.bucket, self.plan.destination.prefix + copy.name)
        try:
            made = rewrite(self.work.store, (copy.bucket, copy.source), target, there.generation if there else 0)
        except Refused:
            # The source is gone or closed, or the object was written meanwhile: sending it settles all of these.
            made = None
        if made is None or (made.size, made.crc32c) != (copy.size, copy.digest.crc32c):
            self.meter.more(copy.size)
            return self._send(copy.file)
        self.meter.file_done()
        return self._stored(copy.name, made, "copied")

    def _remove(self, remote: Remote) -> None:
        destination = self.plan.destination
        delete(self.work.store, destination.bucket, destination.prefix + remote.name, remote.generation)

    def _stored(self, name: str, remote: Remote, kind: Kind) -> None:
        uri = f"{self.plan.destination}{name}"
        self._made[name] = Stored(name, uri, remote.generation, remote.crc32c, remote.size, kind)

    def _drop_stale(self) -> None:
        """Of what dead runs left, keep what this one continues."""
        files = {file.name: file for file in (*self.plan.send, *(copy.file for copy in self.plan.copy))}
        for name, entry in list(self.journal.found.items()):
            if name not in files or not entry.continues(files[name].path):
                del self.journal.found[name]
                self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        """Let go of an unfinished upload. One that was asked for and not heard of is looked for by its name."""
        bucket, name = self.plan.destination.bucket, self.plan.destination.prefix + entry.name
        if entry.session:
            cancel_session(self.store, entry.session, f"gs://{bucket}/{name}")
        elif entry.upload:
            abort(self.store, bucket, name, entry.upload)
        else:
            drop_unknown(self.store, bucket, name, self.journal)
        self.journal.forget(entry.name)

"""Run of an upload plan: copies, uploads by size, deletions, and clean-up after a stop."""

from __future__ import annotations

import dataclasses
import functools
import threading
from pathlib import Path
from typing import ClassVar, Literal

from aip_magics.errors import Interrupted
from aip_magics.i18n import gettext as _
from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.http.client import StorageClient, StorageRequestError
from aip_magics.storage.object_api import RemoteObject, delete_object, rewrite_object
from aip_magics.storage.progress import OnProgress
from aip_magics.storage.thread_pool import Task
from aip_magics.storage.transfer_runner import TransferRunner
from aip_magics.storage.upload.checkpoint import PendingObject, UploadCheckpoint
from aip_magics.storage.upload.insert_upload import INSERT_MAX_BYTES, upload_insert
from aip_magics.storage.upload.multipart_upload import MultipartUpload, abort_multipart, abort_unknown
from aip_magics.storage.upload.object_upload import ObjectUpload, UploadContext
from aip_magics.storage.upload.resumable_upload import cancel_session, upload_resumable
from aip_magics.storage.upload.upload_plan import MULTIPART_MIN_BYTES, LocalFile, ServerSideCopy, UploadPlan

Kind = Literal["uploaded", "copied", "kept"]
_CLEAN_UP_SECONDS = 0.08  # limit for clean-up requests after a stop; the next run does the rest


@dataclasses.dataclass(frozen=True)
class UploadedFile:
    """An object at the destination. `name` is relative to it, `crc32c` is base64, `size` in bytes."""

    panel_kind: ClassVar[str] = "object"
    name: str
    uri: str
    generation: int
    crc32c: str
    size: int
    kind: Kind


def upload(
    client: StorageClient,
    plan: UploadPlan,
    *,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    checkpoints: Path | None = None,
    digests: DigestCache | None = None,
) -> tuple[UploadedFile, ...]:
    """Run the plan.

    Every object is written only if its generation is the one of the listing (`ifGenerationMatch`), and the server
    verifies its checksum. Files that only the destination has are deleted last. A stop takes effect at once and leaves
    no unfinished multipart upload behind.

    Args:
        client: The endpoint.
        plan: What `plan_upload` returned.
        progress: Called on this thread, about twenty times a second while bytes move.
        cancel: Stops the upload when set, as KeyboardInterrupt does.
        checkpoints: Directory of unfinished uploads, which the next run resumes.
        digests: Cache of file digests.

    Returns:
        The objects at the destination, by name.

    Raises:
        StorageError: An upload failed; names the file.
        Interrupted: The upload was stopped.
    """
    name = f"{client.endpoint} {plan.destination}"
    with UploadCheckpoint(checkpoints, name) as checkpoint, digests or DigestCache() as cache:
        run = _UploadRun(client, plan, checkpoint, cache, progress, cancel)
        try:
            return run.run()
        except (KeyboardInterrupt, Interrupted):
            run.clean_up()
            raise
        except BaseException:
            checkpoint.preserve()
            raise


class _UploadRun:
    def __init__(
        self,
        client: StorageClient,
        plan: UploadPlan,
        checkpoint: UploadCheckpoint,
        digests: DigestCache,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> None:
        self.client = client
        self.plan = plan
        self.checkpoint = checkpoint
        files = len(plan.send) + len(plan.copy)
        self.runner = TransferRunner(client, plan.bytes_to_send, files, progress, cancel, self._stopped)
        self.context = UploadContext(self.runner, plan.destination, checkpoint, digests)
        self._uploaded: dict[str, UploadedFile] = {}

    def run(self) -> tuple[UploadedFile, ...]:
        for file in self.plan.keep:
            self._add_result(file.name, self.plan.remote[file.name], "kept")
        self._drop_stale()
        by_size = sorted(self.plan.send, key=lambda file: file.size, reverse=True)
        tasks: list[Task] = [functools.partial(self._copy, copy) for copy in self.plan.copy]
        tasks += [functools.partial(self._upload, file) for file in by_size]
        self.runner.run(tasks)
        if self.plan.remove:
            self.runner.run(functools.partial(self._delete, remote) for remote in self.plan.remove)
        return tuple(self._uploaded[name] for name in sorted(self._uploaded))

    def clean_up(self) -> None:
        """Drop unfinished uploads after a stop; the next run drops those that the server does not confirm in time."""
        unfinished = list(self.checkpoint.pending.values())
        threads = [threading.Thread(target=self._drop, args=(pending,), daemon=True) for pending in unfinished]
        for thread in threads:
            thread.start()
        deadline = self.client.clock() + _CLEAN_UP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - self.client.clock()))
        if self.checkpoint.pending:
            self.checkpoint.preserve()

    def _stopped(self) -> Interrupted:
        return Interrupted(
            _("the upload was stopped"),
            where=str(self.plan.destination),
            fix=_("run the command again to resume; files already uploaded are skipped"),
        )

    def _upload(self, file: LocalFile) -> None:
        """Upload one file, by its size: insert, resumable upload or multipart upload."""
        existing = self.plan.remote.get(file.name)
        object_upload = ObjectUpload(self.context, file, existing.generation if existing else 0)
        pending = self.checkpoint.recovered.pop(file.name, None)
        if file.size <= INSERT_MAX_BYTES:
            return self._upload_done(file, upload_insert(object_upload))
        if file.size <= MULTIPART_MIN_BYTES:
            return self._upload_done(file, upload_resumable(object_upload, pending))
        multipart = MultipartUpload(object_upload, functools.partial(self._upload_done, file), pending)
        return self.runner.thread_pool.add(multipart.start(), first=True)

    def _upload_done(self, file: LocalFile, created: RemoteObject) -> None:
        self.runner.tracker.file_done()
        self._add_result(file.name, created, "uploaded")

    def _copy(self, copy: ServerSideCopy) -> None:
        existing = self.plan.remote.get(copy.name)
        target = (self.plan.destination.bucket, self.plan.destination.prefix + copy.name)
        generation = existing.generation if existing else 0
        try:
            created = rewrite_object(self.runner.client, (copy.bucket, copy.source), target, generation)
        except StorageRequestError:
            # The source is gone or not readable, or the object was written meanwhile: an upload handles all of these.
            created = None
        if created is None or (created.size, created.crc32c) != (copy.size, copy.digest.crc32c):
            self.runner.tracker.grow_total(copy.size)
            return self._upload(copy.file)
        self.runner.tracker.file_done()
        return self._add_result(copy.name, created, "copied")

    def _delete(self, remote: RemoteObject) -> None:
        destination = self.plan.destination
        delete_object(self.runner.client, destination.bucket, destination.prefix + remote.name, remote.generation)

    def _add_result(self, name: str, remote: RemoteObject, kind: Kind) -> None:
        uri = f"{self.plan.destination}{name}"
        self._uploaded[name] = UploadedFile(name, uri, remote.generation, remote.crc32c, remote.size, kind)

    def _drop_stale(self) -> None:
        """Drop what dead runs left and this run does not resume."""
        files = {file.name: file for file in (*self.plan.send, *(copy.file for copy in self.plan.copy))}
        for name, pending in list(self.checkpoint.recovered.items()):
            if name not in files or not pending.can_resume(files[name].path):
                del self.checkpoint.recovered[name]
                self._drop(pending)

    def _drop(self, pending: PendingObject) -> None:
        """Drop an unfinished upload; one that was requested without a response is looked up by its name."""
        bucket, name = self.plan.destination.bucket, self.plan.destination.prefix + pending.name
        if pending.session:
            cancel_session(self.client, pending.session, f"gs://{bucket}/{name}")
        elif pending.upload:
            abort_multipart(self.client, bucket, name, pending.upload)
        else:
            abort_unknown(self.client, bucket, name, self.checkpoint)
        self.checkpoint.forget(pending.name)

"""Run of a removal plan: one delete request per object, for the generation that was listed."""

from __future__ import annotations

import dataclasses
import functools
import threading
from typing import Any, ClassVar

from aip_magics.errors import Interrupted
from aip_magics.i18n import gettext as _
from aip_magics.storage.http.client import StorageClient, StorageRequestError
from aip_magics.storage.object_api import delete_object, get_object
from aip_magics.storage.progress import OnProgress
from aip_magics.storage.removal_plan import PlannedRemoval, RemovalPlan
from aip_magics.storage.transfer_runner import TransferRunner


@dataclasses.dataclass(frozen=True)
class Removal:
    """The objects that were deleted, and those that were not because they were `replaced` since they were listed."""

    panel_kind: ClassVar[str] = "removal"
    uris: tuple[str, ...]
    objects: tuple[PlannedRemoval, ...]
    replaced: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The URIs of the deleted objects."""
        return tuple(each.uri for each in self.objects)

    @property
    def count(self) -> int:
        return len(self.objects)

    @property
    def bytes(self) -> int:
        return sum(each.size for each in self.objects)

    def to_json(self) -> dict[str, Any]:
        return {
            "uris": list(self.uris),
            "objects": [each.to_json() for each in self.objects],
            "count": self.count,
            "bytes": self.bytes,
            "replaced": list(self.replaced),
        }


class RemovalRun:
    """Deletes the objects of a plan.

    A newer generation of an object is never deleted: it was written after the plan. An object that is gone counts as
    deleted, so a run that was stopped can be repeated.

    Args:
        client: The endpoint.
        plan: What `plan_removal` returned.
        progress: Called on the thread that waits, with counts of objects as files.
        cancel: Stops the run when set, as KeyboardInterrupt does.
    """

    def __init__(
        self,
        client: StorageClient,
        plan: RemovalPlan,
        *,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._plan = plan
        self._runner = TransferRunner(client, 0, len(plan.objects), progress, cancel, self._stopped)
        self._deleted: list[PlannedRemoval] = []  # appended by many threads, which a list allows
        self._replaced: list[str] = []

    @property
    def result(self) -> Removal:
        """What is deleted so far, by name."""
        deleted = tuple(sorted(self._deleted, key=lambda each: each.uri))
        return Removal(self._plan.uris, deleted, tuple(sorted(self._replaced)))

    def run(self) -> Removal:
        """Delete the objects. StorageError for an object that could not be deleted; then `result` has the others."""
        self._runner.run(functools.partial(self._delete, each) for each in self._plan.objects)
        return self.result

    def _delete(self, each: PlannedRemoval) -> None:
        client = self._runner.client
        try:
            delete_object(client, each.bucket, each.name, each.generation)
        except StorageRequestError as error:
            if error.code != 412:
                raise
            # Some endpoints return 412 for an object that an attempt without a response had deleted.
            current = get_object(client, each.bucket, each.name)
            if current is not None and current.generation == each.generation:
                raise
            if current is not None:
                self._replaced.append(each.uri)
                return
        self._deleted.append(each)
        self._runner.tracker.file_done()

    def _stopped(self) -> Interrupted:
        return Interrupted(_("the removal was stopped"), fix=_("run the command again to resume"))

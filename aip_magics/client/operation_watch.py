"""Polling of long-running operations, as a generator of updates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from aip_magics.errors import OperationFailed, Unavailable
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Status

MAX_WAIT_SECONDS = 2 * 3600.0  # a version with GPUs was ready after half an hour
_INITIAL_DELAY = 0.03  # a version that is ready after 0.3 s is not waited for longer


@dataclasses.dataclass(frozen=True)
class OperationUpdate:
    """The operation after a poll. `new_state`: the state of its version if it changed, otherwise empty."""

    operation: Operation
    new_state: str


def watch_operation(
    operation: Operation,
    get: Callable[[str], Operation],
    *,
    max_delay: float,
    sleep: Callable[[float], None],
) -> Iterator[OperationUpdate]:
    """Poll until the operation is done, and yield an update after every poll.

    Args:
        operation: The operation; one that is done is not polled.
        get: Gets the operation of this name.
        max_delay: Upper bound of the seconds between two polls.
        sleep: Waits between two polls.

    Raises:
        OperationFailed: The operation ended with an error.
        Unavailable: The operation is not done after two hours.
    """
    delay, waited, state, name = _INITIAL_DELAY, 0.0, "", operation.name or ""
    while not operation.done:
        if waited > MAX_WAIT_SECONDS:
            text = _("the operation is not done after {hours:g} hours", hours=MAX_WAIT_SECONDS / 3600)
            raise Unavailable(text, where=name, fix=_("wait again with {line}", line=f"%aip_attach {name}"))
        sleep(delay)
        waited += delay
        delay = min(delay * 1.5, max_delay)
        operation = get(name)
        before, state = state, version_state(operation) or state
        yield OperationUpdate(operation, state if state != before else "")
    if operation.error is not None:
        message = operation.error.message or _("the operation failed without a message")
        raise OperationFailed(message, operation=operation, where=operation.name or "", fix=_find_fix(operation.error))


def _find_fix(error: Status) -> str:
    """The fix that the embedded server gives with an error; empty if there is none."""
    for detail in error.details or ():
        if isinstance(detail, Mapping) and detail.get("domain") == "aip-magics":
            metadata = detail.get("metadata")
            return str(metadata.get("fix") or "") if isinstance(metadata, Mapping) else ""
    return ""


def version_state(operation: Operation) -> str:
    """The state of the operation's version, empty if it has none."""
    metadata = operation.metadata
    return str(metadata.version.state or "") if metadata and metadata.version else ""

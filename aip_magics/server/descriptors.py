"""File descriptors of this process: their limit, and how many of them nodes and connections may use.

A node costs two sockets (one to the worker, one to its fork server) and a few more while it starts. The rest is kept
for connections, their files, and databases, so that a server with as many nodes as it can have still answers.
Windows has no such limit.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import sqlite3
import sys

from aip_magics.errors import ResourceExhausted
from aip_magics.prediction.worker_environ import SOFT_DESCRIPTORS
from aip_magics.server.conventions.error_responses import retry_later

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

NODE_DESCRIPTORS = 2  # of a loaded node
START_DESCRIPTORS = 6  # of a node that starts: its log and the worker's ends of the sockets, too
BASE_DESCRIPTORS = 48  # databases, logs, the listener, fork servers, what threads open for a moment
CONNECTION_DESCRIPTORS = 2  # the socket, and the file that it uploads or downloads
MOST_CONNECTIONS = 512
LEAST_CONNECTIONS = 16
SMALL_LIMIT = 256  # the smallest default: that of macOS
# What macOS refuses is not told: its limit per process (kern.maxfilesperproc) is often below the hard limit.
STEPS = (1 << 20, 1 << 18, 1 << 16, 24_576, 10_240, 4_096, 1_024)
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})


@dataclasses.dataclass(frozen=True)
class DescriptorBudget:
    """How many descriptors the nodes may use, and how many connections there may be; `limit` None: no limit."""

    limit: int | None = None
    nodes: int | None = None
    connections: int = MOST_CONNECTIONS

    @classmethod
    def of(cls, limit: int | None) -> DescriptorBudget:
        """Share out a limit. One node can always start."""
        if limit is None:
            return cls()
        connections = min(max(limit // 8, LEAST_CONNECTIONS), MOST_CONNECTIONS)
        reserve = BASE_DESCRIPTORS + CONNECTION_DESCRIPTORS * connections + accept_burst(connections) * 3
        return cls(limit, max(limit - reserve, START_DESCRIPTORS), connections)


def accept_burst(connections: int) -> int:
    """How many connections are accepted before those that are too many are closed again."""
    return max(connections // 8, 4)


def raise_limit() -> int | None:
    """Raise the soft limit of descriptors to the hard limit, or as far as the system allows; return the limit.

    Workers get the soft limit back that this process was started with: a program that uses `select` fails with larger
    descriptors, and one that closes all possible descriptors would take minutes.
    """
    if sys.platform == "win32":
        return None
    os.environ.pop(SOFT_DESCRIPTORS, None)  # of a server that started this one
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    steps = [step for step in STEPS if hard == resource.RLIM_INFINITY or step < hard]
    for wanted in [hard, *steps]:
        if wanted != resource.RLIM_INFINITY and wanted <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            continue
        os.environ[SOFT_DESCRIPTORS] = str(soft)
        break
    return limit()


def limit() -> int | None:
    """The soft limit of descriptors of this process; None if there is none."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def is_exhausted(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that no descriptor is left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            return True
        if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error) and not _can_open():
            return True  # SQLite does not tell why it could not open a file
        error = error.__cause__ or error.__context__
    return False


def exhausted_text() -> str:
    """The reason and the remedy, for an error response."""
    return (
        f"The server has no file descriptor left (limit {limit()}). Close connections, or restart the server after "
        "raising the limit with `ulimit -n`."
    )


def exhausted() -> ResourceExhausted:
    """Build a 429 error: it passes when connections are closed or nodes have ended."""
    return retry_later(exhausted_text())


def _can_open() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in _EXHAUSTED
    return True

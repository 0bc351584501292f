"""Standard output and error of a worker, which are its log: a full disk must not fail what prints to them."""

import io
import sys
from typing import Any


class LogFile(io.FileIO):
    """A file descriptor to which writing never fails: what the disk has no space for is dropped."""

    def write(self, data: "Any") -> "int":
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[io.FileIO.write(self, rest) :]
        except OSError:
            pass
        return memoryview(data).nbytes


def drop_what_does_not_fit() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams of the same descriptors that drop what cannot be written."""
    for name in ("stdout", "stderr"):
        try:
            before = getattr(sys, name)
            before.flush()
            log = LogFile(before.fileno(), "wb", closefd=False)
        except (AttributeError, OSError, ValueError):
            continue  # no stream, or one without a descriptor
        # Without a buffer: the last words of a worker that crashes are in the log.
        stream = io.TextIOWrapper(log, encoding=before.encoding, errors=before.errors, write_through=True)
        setattr(sys, name, stream)

"""The log of the server: `<data>/server.log`, rotated by size. The access token is never logged."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Any

from aip_magics.printable import block, inline

LOG_FILE = "server.log"
LOG_BYTES, LOG_FILES = 2_000_000, 3


class _TokenFilterFormatter(logging.Formatter):
    # The server does not log headers, but the traceback of a library may quote one.
    def __init__(self, token: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self._token, "[token]")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        # Escapes control characters: a name or path from a request must not break the line or control a terminal.
        return inline(super().formatMessage(record))

    def formatException(self, info: Any) -> str:  # noqa: N802
        return "\n".join(block(super().formatException(info), "  "))


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that drops lines while its disk is full, and says how many once there is space again."""

    _lost = 0
    _end = 0  # size of the file in bytes before the line that is being written

    def emit(self, record: logging.LogRecord) -> None:
        if lost := self._lost:
            self._lost = 0
            text = "%d lines of this log were lost: the disk was full"
            note = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text, "args": (lost,)}
            self._write(logging.makeLogRecord(note))
            if self._lost:  # the disk is still full
                self._lost = lost
        self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        self._end = os.path.getsize(self.baseFilename) if os.path.exists(self.baseFilename) else 0
        super().emit(record)

    def doRollover(self) -> None:  # noqa: N802
        super().doRollover()
        self._end = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not isinstance(sys.exc_info()[1], OSError):
            return super().handleError(record)
        self._lost += 1
        stream, self.stream = self.stream, None  # as `delay` has it: the next line opens the file
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()  # drops what its buffer holds
        with contextlib.suppress(OSError):
            os.truncate(self.baseFilename, min(self._end, os.path.getsize(self.baseFilename)))  # no half a line


def to_file(data_dir: Path, token: str) -> None:
    """Write the log of this process to the file: aip_magics and uvicorn from INFO, other loggers from WARNING."""
    handler = _LogFile(data_dir / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(_TokenFilterFormatter(token))
    _attach(handler)


def to_terminal(token: str) -> None:
    """Write the log to standard error as well."""
    handler = logging.StreamHandler()
    handler.setFormatter(_TokenFilterFormatter(token))
    _attach(handler)


def _attach(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in ("aip_magics", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)

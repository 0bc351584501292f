"""The log of the server: `<data>/server.log`, rotated by size. The access token is never logged."""

from __future__ import annotations

import logging
import logging.handlers
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


def to_file(data_dir: Path, token: str) -> None:
    """Write the log of this process to the file: aip_magics and uvicorn from INFO, other loggers from WARNING."""
    handler = logging.handlers.RotatingFileHandler(
        data_dir / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
    )
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

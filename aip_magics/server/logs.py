"""The server's own log: `<data>/server.log`, rotated by size. The access token is never in it."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path
from typing import Any

from aip_magics.printable import block, inline

LOG_FILE = "server.log"
LOG_BYTES, LOG_FILES = 2_000_000, 3


class _WithoutToken(logging.Formatter):
    # Nothing of ours logs a header, but a traceback of a library may quote one.
    def __init__(self, token: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self._token, "[token]")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        # A name or a path from a request stays on its line, and drives no terminal that shows the log.
        return inline(super().formatMessage(record))

    def formatException(self, info: Any) -> str:  # noqa: N802
        return "\n".join(block(super().formatException(info), "  "))


def to_file(data_dir: Path, token: str) -> None:
    """Send the log of this process to the file: what we and uvicorn have to say from INFO on, others from WARNING."""
    handler = logging.handlers.RotatingFileHandler(
        data_dir / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
    )
    handler.setFormatter(_WithoutToken(token))
    _attach(handler)


def to_terminal(token: str) -> None:
    """Send it to standard error as well."""
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutToken(token))
    _attach(handler)


def _attach(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in ("aip_magics", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)

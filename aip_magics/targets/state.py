"""State file of the embedded server: written by the server, read by its clients to find it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from pathlib import Path

STATE_FILE = "server.json"
LOCK_FILE = "server.lock"  # held by the server as long as it lives
MIN_TOKEN_CHARS = 16


def is_token(text: str) -> bool:
    """Whether an access token is long enough and valid in a header."""
    return len(text) >= MIN_TOKEN_CHARS and text.isascii() and text.isprintable() and " " not in text


@dataclasses.dataclass(frozen=True)
class ServerState:
    """A running server, as its state file describes it. `token` is used in Authorization headers only."""

    pid: int
    start_time: float
    host: str
    port: int
    token: str = dataclasses.field(repr=False)
    version: str
    python: str
    data_dir: Path

    @property
    def url(self) -> str:
        """Base URL without a trailing slash, e.g. `http://127.0.0.1:41873`."""
        return f"http://{self.host}:{self.port}"

    @classmethod
    def read(cls, data_dir: Path) -> ServerState | None:
        """Read the state file in `data_dir`; None if it does not exist or is incomplete."""
        try:
            data = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
            return cls(
                pid=int(data["pid"]),
                start_time=float(data["start_time"]),
                host=str(data["host"]),
                port=int(data["port"]),
                token=str(data["token"]),
                version=str(data["version"]),
                python=str(data["python"]),
                data_dir=data_dir,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self) -> None:
        """Write the state file atomically, readable by its owner only (0600)."""
        data = {**dataclasses.asdict(self), "data_dir": str(self.data_dir), "url": self.url}
        write_private(self.data_dir / STATE_FILE, json.dumps(data, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file with a token atomically, readable by its owner only (0600)."""
    # mkstemp creates the file with mode 0600; the rename makes it visible when it is complete.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise

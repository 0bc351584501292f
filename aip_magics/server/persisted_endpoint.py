"""Token and port of the server, kept over restarts so that clients stay connected to the same endpoint."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import socket
from pathlib import Path

from aip_magics.errors import ServerError
from aip_magics.targets.state import is_token, write_private

HOST = "127.0.0.1"
_FILE = "identity.json"


@dataclasses.dataclass(frozen=True)
class PersistedEndpoint:
    """Token and port of a server."""

    token: str = dataclasses.field(repr=False)
    port: int  # 0 before the first run

    @classmethod
    def read(cls, data_dir: Path) -> PersistedEndpoint:
        """Read token and port of the last run; without one, generate a token."""
        try:
            data = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
            return cls(token=_checked(str(data["token"])), port=int(data["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(token=secrets.token_urlsafe(32), port=0)

    def write(self, data_dir: Path) -> None:
        """Write the file atomically, readable by its owner only (0600)."""
        write_private(data_dir / _FILE, json.dumps(dataclasses.asdict(self)))


def token_from(path: Path) -> str:
    """Read the token of a user's file, without the line break."""
    try:
        return _checked(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise ServerError(
            f"could not read the token: {error}",
            where=f"--token-file {path}",
            fix="use a file with one line of at least 16 printable ASCII characters without spaces",
        ) from None


def _checked(token: str) -> str:
    if not is_token(token):
        raise ValueError("the token is too short or has characters that are not allowed in a header")
    return token


def listen(port: int | None, last: int) -> socket.socket:
    """Listen on the loopback interface: on `port` if set, otherwise on the last port or a free one."""
    for candidate in [port] if port else [last, 0]:
        # asyncio disables Nagle's algorithm, which would delay responses by 40 ms, only if the protocol is set.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # Connections of a server that was just killed linger; on Windows the option would share the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, candidate))
            # From now on a connection of a client is queued instead of refused.
            listener.listen(2048)
            return listener
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
    raise ServerError(
        f"could not listen on port {port or 0} of {HOST}: {reason}",
        where="--port" if port else "",
        fix="omit --port to use a free port, or stop the program that uses the port",
    )

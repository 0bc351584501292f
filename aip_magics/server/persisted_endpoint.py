"""What a server keeps over restarts, so that clients need not look again: its token and its port."""

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
    token: str = dataclasses.field(repr=False)
    port: int  # 0: none yet

    @classmethod
    def read(cls, data_dir: Path) -> PersistedEndpoint:
        """That of the last run; a new token where there is none."""
        try:
            data = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
            return cls(token=_checked(str(data["token"])), port=int(data["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(token=secrets.token_urlsafe(32), port=0)

    def write(self, data_dir: Path) -> None:
        """For the owner only (0600), whole or not at all."""
        write_private(data_dir / _FILE, json.dumps(dataclasses.asdict(self)))


def token_from(path: Path) -> str:
    """The token in a file of the user's, without the line's end."""
    try:
        return _checked(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise ServerError(
            f"no token can be read: {error}",
            where=f"--token-file {path}",
            fix="a file with one line of at least 16 printable ASCII characters without blanks",
        ) from None


def _checked(token: str) -> str:
    if not is_token(token):
        raise ValueError("the token is too short or has characters that no header can carry")
    return token


def listen(port: int | None, last: int) -> socket.socket:
    """A socket that listens on the loopback interface: at `port` or not at all, else at the last port or a free one."""
    for candidate in [port] if port else [last, 0]:
        # The protocol is named so that asyncio turns Nagle's algorithm off, which costs 40 ms an answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # The connections of a server that was just killed linger; on Windows the option would mean sharing.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, candidate))
            # From here on a client's connection waits instead of being refused.
            listener.listen(2048)
            return listener
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
    raise ServerError(
        f"port {port or 0} on {HOST} cannot be used: {reason}",
        where="--port" if port else "",
        fix="leave --port out to take a free one, or end the program that uses it",
    )

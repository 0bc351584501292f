"""`server`: the embedded server, by hand. The first local deploy starts it by itself."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from pathlib import Path

from aip_magics import settings
from aip_magics.commands import options
from aip_magics.commands.base import Command, Context
from aip_magics.targets import local
from aip_magics.targets.state import ServerState


@dataclasses.dataclass(frozen=True)
class ServerStatus:
    """What is known of the embedded server. Without `url` none is running."""

    running: bool
    data_dir: Path
    url: str | None = None
    pid: int | None = None
    version: str | None = None
    python: str | None = None

    def to_json(self) -> dict[str, object]:
        return {**dataclasses.asdict(self), "data_dir": str(self.data_dir)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("start", "status", "stop", "env", "logs"))
    parser.add_argument("--data-dir", metavar="DIR", help="where its state lies (AIP_MAGICS_HOME)")
    parser.add_argument("--port", type=int, metavar="PORT", help="start: this port instead of a free one")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help="start: end after this long without a call")
    parser.add_argument("--lines", type=int, default=50, metavar="N", help="logs: how many lines")
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> ServerStatus | str:
    """Start, stop or look at the embedded server; `env` returns shell lines that point other clients at it."""
    variables = (context.environment.variables if context.environment else None) or os.environ
    directory = Path(args.data_dir).expanduser().absolute() if args.data_dir else settings.data_dir(variables)
    result: ServerStatus | str
    if args.action == "start":
        given = {"--port": args.port, "--idle-exit": args.idle_exit}
        extra = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
        result = _status(directory, local.running(directory) or local.start(directory, *extra))
    elif args.action == "stop":
        local.stop(directory)
        result = _status(directory, None)
    elif args.action == "logs":
        result = _tail(directory / "server.log", args.lines)
    elif args.action == "env":
        result = _env(local.running(directory) or local.start(directory))
    else:
        result = _status(directory, local.running(directory))
    context.face.show(result)
    return result


def _status(directory: Path, state: ServerState | None) -> ServerStatus:
    if state is None:
        return ServerStatus(False, directory)
    return ServerStatus(True, directory, state.url, state.pid, state.version, state.python)


def _tail(log: Path, lines: int) -> str:
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "there is no log yet"


def _env(state: ServerState) -> str:
    """Shell lines for gcloud and google-cloud-storage. The token is named by its file, never printed."""
    token_file = state.data_dir / "token"
    if not token_file.exists() or token_file.read_text("utf-8") != state.token:
        token_file.touch(mode=0o600)
        token_file.write_text(state.token, "utf-8")
    values = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{state.url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{state.url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token_file),
        "CLOUDSDK_AI_PLATFORM_REGION": "global",  # any other region would be put before the host name
        "CLOUDSDK_CORE_PROJECT": settings.LOCAL_PROJECT,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


COMMAND = Command("server", add_options, run)

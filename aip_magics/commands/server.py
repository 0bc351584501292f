"""`server`: the embedded server, by hand. The first local deploy starts it by itself."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any, NoReturn

from aip_magics import settings
from aip_magics.commands.common import options
from aip_magics.commands.common.access_token import read_access_token
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError, ServerError
from aip_magics.i18n import gettext as _
from aip_magics.targets import local
from aip_magics.targets.state import ServerState, write_private


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
    parser.add_argument(
        "action",
        choices=("start", "status", "stop", "env", "logs"),
        help=_("env: shell lines that point gcloud and other clients at it; logs: what it wrote last"),
    )
    parser.add_argument("--data-dir", metavar="DIR", help=_("where its state lies (AIP_MAGICS_HOME)"))
    parser.add_argument("--port", type=int, metavar="PORT", help=_("start: this port instead of a free one"))
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help=_("start: the access token in this file, - for standard input (AIP_MAGICS_TOKEN)"),
    )
    # What it was once: every user of the machine sees the words of a command, and shells and notebooks keep them.
    parser.add_argument("--token", action=_Refused, help=argparse.SUPPRESS)
    parser.add_argument("--foreground", action="store_true", help=_("start: serve here until Ctrl-C, with the log"))
    parser.add_argument(
        "--idle-exit", type=float, metavar="SECONDS", help=_("start: end after this long without a call")
    )
    parser.add_argument(
        "--idle-nodes",
        type=float,
        metavar="SECONDS",
        help=_("start: end idle nodes of minNodes 0 after this long (900)"),
    )
    parser.add_argument(
        "--coalesce", action="store_true", help=_("start: predict requests that wait together, but for custom code")
    )
    parser.add_argument("--lines", type=int, default=50, metavar="N", help=_("logs: how many lines"))
    options.add_output(parser)


class _Refused(argparse.Action):
    def __call__(self, *_unused: Any) -> NoReturn:
        raise OptionError(
            _("a token on the command line is seen by everyone on this machine, and kept by shells and notebooks"),
            where="--token",
            fix=_("write a new one into a file of yours alone and give that: --token-file FILE; or leave it out"),
        )


def run(args: argparse.Namespace, _body: str | None, context: Context) -> ServerStatus | str:
    """Start, stop or look at the embedded server; `env` returns shell lines that point other clients at it."""
    directory = Path(args.data_dir).expanduser().absolute() if args.data_dir else context.data_dir()
    result: ServerStatus | str
    settings.private(directory)
    if args.action == "start":
        args.token = read_access_token(args.token_file, os.environ)
    if args.action == "start" and args.foreground:
        local.serve(directory, *_start_options(args, directory))
        result = _status(directory, None)
    elif args.action == "start":
        result = _status(
            directory, _attached(args, directory) or local.start(directory, *_start_options(args, directory))
        )
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


def _attached(args: argparse.Namespace, directory: Path) -> ServerState | None:
    """The server that runs, if it is what the line asks for."""
    state = local.running(directory)
    if state and ((args.port or state.port) != state.port or (args.token or state.token) != state.token):
        fix = f"aip-magics server stop --data-dir {shlex.quote(str(directory))}"
        raise ServerError(_("a server is running already, with another port or token"), where=state.url, fix=fix)
    return state


def _start_options(args: argparse.Namespace, directory: Path) -> list[str]:
    """The options for the server process. The token goes by a file: command lines are seen by everyone."""
    given = {"--port": args.port, "--idle-exit": args.idle_exit, "--idle-nodes": args.idle_nodes}
    words = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    if args.coalesce:
        words.append("--coalesce")
    if args.token:
        words += ["--token-file", str(_token_file(directory, args.token))]
    return words


def _token_file(directory: Path, token: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / "token"
    if not path.is_file() or path.read_text("utf-8") != token:
        write_private(path, token)
    return path


def _status(directory: Path, state: ServerState | None) -> ServerStatus:
    if state is None:
        return ServerStatus(False, directory)
    return ServerStatus(True, directory, state.url, state.pid, state.version, state.python)


def _tail(log: Path, lines: int) -> str:
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return _("there is no log yet")


def _env(state: ServerState) -> str:
    """Shell lines for gcloud and google-cloud-storage. The token is named by its file, never printed."""
    token_file = _token_file(state.data_dir, state.token)
    values = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{state.url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{state.url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token_file),
        "CLOUDSDK_AI_PLATFORM_REGION": "global",  # any other region would be put before the host name
        "CLOUDSDK_CORE_PROJECT": settings.LOCAL_PROJECT,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


COMMAND = Command("server", add_options, run, example="%aip_server status")

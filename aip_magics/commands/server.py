"""`server`: start, stop and inspect the embedded server. The first local deploy starts the server automatically."""

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
from aip_magics.commands.common.byte_size import byte_size
from aip_magics.commands.common.client_environment import client_environment
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.disk_usage import DiskUsage, measure
from aip_magics.data_directory import create_data_dir, data_dir_error
from aip_magics.errors import OptionError, ServerError
from aip_magics.i18n import gettext as _
from aip_magics.targets import local
from aip_magics.targets.state import ServerState, write_private


@dataclasses.dataclass(frozen=True)
class ServerStatus:
    """The status of the embedded server. `url` is None if no server is running."""

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
        choices=("start", "status", "stop", "env", "logs", "disk"),
        help=_("env: print shell commands for gcloud; logs: show the latest log lines; disk: show the disk space"),
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help=_("directory of the server's state (default: AIP_MAGICS_HOME)")
    )
    parser.add_argument("--port", type=int, metavar="PORT", help=_("start: port to listen on (default: a free port)"))
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help=_("start: file with the access token, - for standard input (default: AIP_MAGICS_TOKEN or generated)"),
    )
    # No longer supported: every user of the machine sees the arguments of a command, and shells store them.
    parser.add_argument("--token", action=_Refused, help=argparse.SUPPRESS)
    parser.add_argument(
        "--foreground", action="store_true", help=_("start: run in the foreground and print the log until Ctrl-C")
    )
    parser.add_argument(
        "--idle-exit", type=float, metavar="SECONDS", help=_("start: exit after this many seconds without a request")
    )
    parser.add_argument(
        "--idle-nodes",
        type=float,
        metavar="SECONDS",
        help=_("start: stop idle nodes with minNodes 0 after this many seconds (default: 900)"),
    )
    parser.add_argument(
        "--coalesce", action="store_true", help=_("start: batch queued prediction requests (not for custom code)")
    )
    parser.add_argument(
        "--memory-budget",
        type=byte_size,
        metavar="BYTES",
        help=_("start: memory of all nodes, such as 4GiB (default: half of the machine's or cgroup's)"),
    )
    parser.add_argument("--lines", type=int, default=50, metavar="N", help=_("logs: number of lines (default: 50)"))
    parser.add_argument("--prune", action="store_true", help=_("disk: list what nothing uses; with --yes, delete it"))
    parser.add_argument("--yes", "-y", action="store_true", help=_("disk --prune: delete without asking"))
    options.add_output(parser)


class _Refused(argparse.Action):
    def __call__(self, *_unused: Any) -> NoReturn:
        raise OptionError(
            _(
                "a token on the command line is visible to every user of this machine and stored by "
                "shells and notebooks"
            ),
            where="--token",
            fix=_("write a new token to a file that only you can read and use --token-file FILE, or omit the token"),
        )


def run(args: argparse.Namespace, _body: str | None, context: Context) -> ServerStatus | DiskUsage | str:
    """Start, stop or inspect the embedded server.

    `env` returns shell commands that point other clients at it, `disk` the disk space of its data directory.
    """
    directory = Path(os.path.expanduser(args.data_dir)).absolute() if args.data_dir else context.data_dir()
    result: ServerStatus | DiskUsage | str
    settings.private(directory)
    if args.action in ("start", "env"):
        create_data_dir(directory, _("use --data-dir with a directory that you can write to") if args.data_dir else "")
    elif directory == settings.NO_HOME:
        raise data_dir_error(directory, FileNotFoundError())
    if args.action == "start":
        args.token = read_access_token(args.token_file, os.environ)
    if args.action == "start" and args.foreground:
        local.serve(directory, *_start_options(args, directory))
        result = _status(directory, None)
    elif args.action == "start":
        result = _status(
            directory, _find_running(args, directory) or local.start(directory, *_start_options(args, directory))
        )
    elif args.action == "stop":
        local.stop(directory)
        result = _status(directory, None)
    elif args.action == "logs":
        result = _tail(directory / "server.log", args.lines)
    elif args.action == "disk":
        result = measure(directory, prune=args.prune, confirmed=args.yes)
    elif args.action == "env":
        state = local.running(directory) or local.start(directory)
        result = client_environment(state, _write_token_file(state.data_dir, state.token))
    else:
        result = _status(directory, local.running(directory) or local.check_answers(directory))
    context.reporter.show(result)
    return result


def _find_running(args: argparse.Namespace, directory: Path) -> ServerState | None:
    """Find the running server. ServerError if its port or token differs from the requested one."""
    state = local.running(directory)
    if state and ((args.port or state.port) != state.port or (args.token or state.token) != state.token):
        fix = f"aip-magics server stop --data-dir {shlex.quote(str(directory))}"
        raise ServerError(_("a server is already running with another port or token"), where=state.url, fix=fix)
    return state


def _start_options(args: argparse.Namespace, directory: Path) -> list[str]:
    """Build the arguments of the server process. The token is passed by a file, because arguments are public."""
    options = {
        "--port": args.port,
        "--idle-exit": args.idle_exit,
        "--idle-nodes": args.idle_nodes,
        "--memory-budget": args.memory_budget,
    }
    arguments = [part for flag, value in options.items() if value is not None for part in (flag, str(value))]
    if args.coalesce:
        arguments.append("--coalesce")
    if args.token:
        arguments += ["--token-file", str(_write_token_file(directory, args.token))]
    return arguments


def _write_token_file(directory: Path, token: str) -> Path:
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
        return _("no log yet")


COMMAND = Command("server", add_options, run, example="%aip_server status")

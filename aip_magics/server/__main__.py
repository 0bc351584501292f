"""`python -m aip_magics.server --data-dir D`: the server in the foreground, until SIGTERM, Ctrl-C or its stop route."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aip_magics.errors import AipError
from aip_magics.printable import inline

EXIT_FAILED, EXIT_ALREADY_RUNNING = 1, 3


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # After the options, so that --help and a mistake are answered at once.
    from aip_magics.server.lifecycle import AlreadyRunning, Options, run

    try:
        directory = options.data_dir.expanduser().absolute()
        run(directory, Options(**{name: value for name, value in vars(options).items() if name != "data_dir"}))
    except AlreadyRunning as error:
        return _say(error, EXIT_ALREADY_RUNNING)
    except AipError as error:
        return _say(error, EXIT_FAILED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aip_magics.server", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where everything is kept; made if missing")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1; default: that of the last run, or a free one")
    parser.add_argument("--token-file", type=Path, help="a file with the access token; default: one of our own making")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help="end after this long without a request")
    parser.add_argument(
        "--idle-nodes",
        type=float,
        metavar="SECONDS",
        default=900.0,
        help="end the nodes of a version with minNodes 0 after this long without a request (900)",
    )
    parser.add_argument(
        "--coalesce",
        dest="batching",
        action="store_true",
        help="predict requests that wait for a node together (never those to custom code)",
    )
    parser.add_argument("--foreground", action="store_true", help="show the log in the terminal, too")
    return parser


def _say(error: AipError, code: int) -> int:
    sys.stderr.write(inline("; ".join(part for part in (error.message, error.where, error.fix) if part)) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

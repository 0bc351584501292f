"""Run the embedded server in the foreground until SIGTERM, Ctrl-C or a request to its stop route.

With --disk, measure its data directory instead, whether a server runs or not.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from pathlib import Path

from aip_magics.errors import AipError, ServerError
from aip_magics.printable import inline

EXIT_FAILED, EXIT_ALREADY_RUNNING = 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    # Imported after the options are parsed, so that --help and usage errors are fast.
    from aip_magics.server.lifecycle import AlreadyRunning, Options, run

    directory = Path(os.path.expanduser(options.data_dir)).absolute()
    served = {name: value for name, value in vars(options).items() if name not in ("data_dir", "disk", "prune")}
    try:
        if options.disk:
            from aip_magics.server import disk

            sys.stdout.write(json.dumps(disk.report(directory, prune=options.prune)))
        else:
            run(directory, Options(**served))
    except AlreadyRunning as error:
        return _report(error, EXIT_ALREADY_RUNNING)
    except AipError as error:
        return _report(error, EXIT_FAILED)
    except (OSError, sqlite3.Error) as error:  # a full disk, a damaged file
        return _report(ServerError(f"{type(error).__name__}: {error}", where=str(directory)), EXIT_FAILED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aip_magics.server", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="directory for all data of the server; created if missing"
    )
    parser.add_argument("--port", type=int, help="port on 127.0.0.1; default: the port of the last run, or a free one")
    parser.add_argument("--token-file", type=Path, help="file with the access token; default: generated")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help="exit after this long without a request")
    parser.add_argument(
        "--idle-nodes",
        type=float,
        metavar="SECONDS",
        default=900.0,
        help="stop the nodes of a version with minNodes 0 after this long without a request; default: 900",
    )
    parser.add_argument(
        "--coalesce",
        dest="batching",
        action="store_true",
        help="batch queued predict requests (not for custom code)",
    )
    parser.add_argument(
        "--memory-budget",
        type=int,
        metavar="BYTES",
        help="memory of the nodes of all versions; default: half of what this machine or the cgroup has",
    )
    parser.add_argument("--foreground", action="store_true", help="also write the log to the terminal")
    parser.add_argument("--disk", action="store_true", help="print as JSON what the data directory holds, and exit")
    parser.add_argument("--prune", action="store_true", help="with --disk: delete what nothing uses")
    return parser


def _report(error: AipError, code: int) -> int:
    sys.stderr.write(inline("; ".join(part for part in (error.message, error.where, error.fix) if part)) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

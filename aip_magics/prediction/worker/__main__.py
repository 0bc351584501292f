"""Entry point of a worker or a fork server: `python .../worker MODE ...`, see the docstring of the folder."""

import importlib
import importlib.util
import os
import socket
import sys
from typing import Any

WORKER_DIR = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_aip_worker"  # the package name of this folder in the process; no module of a model has it


def import_submodule(name: str) -> "Any":
    """Import a module of this folder without adding the folder to the import path of the model."""
    if PACKAGE not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            PACKAGE, os.path.join(WORKER_DIR, "__init__.py"), submodule_search_locations=[WORKER_DIR]
        )
        if spec is None:
            raise ImportError(WORKER_DIR)
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(PACKAGE + "." + name)


def no_core_dumps() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


def main(arguments: "list[str]") -> None:
    if sys.path and os.path.abspath(sys.path[0]) == WORKER_DIR:
        del sys.path[0]
    no_core_dumps()
    serve = import_submodule("server").serve
    if arguments[0] == "connect":
        port, secret = sys.stdin.readline().split()
        sock = socket.create_connection(("127.0.0.1", int(port)))
        sock.sendall(secret.encode("ascii"))
        serve(sock, lifeline=sys.stdin.fileno())
    sock = socket.socket(fileno=int(arguments[1]))
    sock.set_inheritable(False)
    if arguments[0] == "serve":
        serve(sock)
    import_submodule("fork_server").run(sock, arguments[2])


if __name__ == "__main__":
    main(sys.argv[1:])

"""Birth of a worker or a parent: `python .../worker FORM ...`, see the folder's docstring."""

import importlib
import importlib.util
import os
import socket
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "_aip_worker"  # what this folder is called inside the process: no name that a model's module could have


def part(name: str) -> "Any":
    """A module of this folder, without putting the folder on the model's path."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
        )
        if spec is None:
            raise ImportError(HERE)
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(NAME + "." + name)


def no_core_dumps() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


def main(arguments: "list[str]") -> None:
    if sys.path and os.path.abspath(sys.path[0]) == HERE:
        del sys.path[0]
    no_core_dumps()
    serve = part("server").serve
    if arguments[0] == "connect":
        port, secret = sys.stdin.readline().split()
        sock = socket.create_connection(("127.0.0.1", int(port)))
        sock.sendall(secret.encode("ascii"))
        serve(sock, lifeline=sys.stdin.fileno())
    sock = socket.socket(fileno=int(arguments[1]))
    sock.set_inheritable(False)
    if arguments[0] == "serve":
        serve(sock)
    part("fork_server").run(sock, arguments[2])


if __name__ == "__main__":
    main(sys.argv[1:])

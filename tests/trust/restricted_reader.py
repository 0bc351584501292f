"""Load pickles as a worker loads untrusted models and report what happened, as a separate process for the tests.

Each line of standard input is the path of a file (`.joblib` is read by joblib, others by pickle); each line of standard
output says in JSON whether it `loaded`, the `error`, and the `events` that Python's audit hooks saw: files opened for
writing, processes, sockets, code that was executed, modules that were imported.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import json
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parents[2] / "aip_magics" / "prediction" / "worker" / "__main__.py"
SECONDS = 5
WATCHED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "exec", "compile", "code.", "pty.", "webbrowser.")
HARMLESS = {"os.listdir", "os.scandir"}  # the first import of a module lists directories


def main(listed: str) -> None:
    import_submodule = runpy.run_path(str(WORKER))["import_submodule"]
    reader_patches = import_submodule("reader_patches")
    rules = import_submodule("allowed_globals").AllowedGlobals(listed, [], [])
    for module in (
        "joblib",
        "numpy",
        "sklearn.pipeline",
        "sklearn.ensemble",
        "sklearn.metrics",
        "pandas",
        "scipy.stats",
    ):
        importlib.import_module(module)
    for module in list(rules.listed):  # so that a pickle causes no events by importing a listed module
        with contextlib.suppress(Exception):  # another version, or a library that is not installed
            importlib.import_module(module)
    for encoding in ("raw-unicode-escape", "latin-1", "ascii", "utf-8"):
        codecs.lookup(encoding)
    reader_patches.install(rules)
    events: list[str] = []
    active = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not active:
            return
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            events.append(f"open {arguments[0]}")
        elif event.startswith(WATCHED) and event not in HARMLESS:
            events.append(event)

    sys.addaudithook(hook)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("too slow")))
    import joblib

    pickle = sys.modules["pickle"]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        path = line.strip()
        events.clear()
        report: dict[str, Any] = {"loaded": False, "error": ""}
        signal.alarm(SECONDS)
        active = True
        try:
            if path.endswith(".joblib"):
                joblib.load(path)
            else:
                with open(path, "rb") as file:
                    pickle.load(file)
            report["loaded"] = True
        except BaseException as error:  # noqa: BLE001 - a pickle may raise anything
            report["error"] = f"{type(error).__name__}: {error}"[:300]
        finally:
            active = False
            signal.alarm(0)
        sys.stdout.write(json.dumps({**report, "events": sorted(set(events))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

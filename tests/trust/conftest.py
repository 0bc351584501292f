"""A process that loads untrusted pickles, shared by the tests of this directory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reading import READER, Read

from aip_magics import catalog


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Read]]:
    """Load a file as a worker loads an untrusted model. A crashed reader is replaced."""
    log = tmp_path_factory.mktemp("reader") / "stderr"
    running: list[subprocess.Popen[str]] = []

    def started() -> subprocess.Popen[str]:
        while running and running[-1].poll() is not None:
            running.pop()
        if not running:
            command = [sys.executable, str(READER), str(catalog.pickle_globals.path())]
            with log.open("ab") as errors:
                reader = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=log.parent
                )
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n", log.read_text()
            running.append(reader)
        return running[-1]

    def load(path: Path) -> Read:
        reader = started()
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(f"{path}\n")
        reader.stdin.flush()
        line = reader.stdout.readline()
        if not line:  # a crash in native code ran none of the pickle's code; the next file gets a new process
            code = reader.wait()
            return Read(False, f"ended with {code}", ())
        report = json.loads(line)
        return Read(report["loaded"], report["error"], tuple(report["events"]))

    yield load
    for reader in running:
        assert reader.stdin is not None
        reader.stdin.close()
        reader.wait(10)
        if reader.stdout is not None:
            reader.stdout.close()

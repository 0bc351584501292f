"""Run a tool (uv, an interpreter) to its end: its lines as they come, a deadline, nothing left behind."""

from __future__ import annotations

import collections
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker_environ import has_password, worker_environ
from aip_magics.prediction.worker_process import kill_group

OnLine = Callable[[str], None]
KEPT_LINES = 400  # of the output, the last ones

# What leads uv to a package index. Other UV_ variables would change which interpreter or directory is meant.
_REGISTRY = (
    "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR", "UV_OFFLINE", "UV_PYTHON_INSTALL_DIR", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip
# Where uv keeps what it fetched, and what compiles the extensions of a package that is built.
_BUILDING = (
    "CC", "CXX", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "ARCHFLAGS", "PKG_CONFIG_PATH", "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET", "INCLUDE", "LIB", "LIBPATH", "CPATH", "LIBRARY_PATH", "SOURCE_DATE_EPOCH",
    "SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_USE_DISTUTILS", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
)  # fmt: skip
_MISLEADING = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "FORCE_COLOR", "PYTHONPATH"})


class ToolResult(NamedTuple):
    """How a tool ended: its exit code (minus the signal), and the last lines of both its streams."""

    code: int
    lines: tuple[str, ...]


def run(
    words: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    deadline: float,
    on_line: OnLine | None = None,
) -> ToolResult:
    """Run a tool to its end; `on_line` gets each line of its output, in the caller's thread.

    TimeoutError after `deadline` seconds. Then, and when interrupted, it is ended with all that it started. OSError
    where it cannot be run.
    """
    popen = subprocess.Popen(
        list(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(variables),
        start_new_session=True,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        kill_group(popen.pid)

    timer = threading.Timer(deadline, end)
    reader = threading.Thread(target=_read, args=(popen, lines), daemon=True)
    reaper = threading.Thread(target=_reap, args=(popen, reader, lines), daemon=True)
    timer.daemon = True
    kept = collections.deque[str](maxlen=KEPT_LINES)
    try:
        for thread in (timer, reader, reaper):
            thread.start()
        while (line := lines.get()) is not None:
            kept.append(line)
            if on_line is not None:
                on_line(line)
    finally:
        timer.cancel()
        kill_group(popen.pid)
        reaper.join()
    if overdue.is_set():
        raise TimeoutError(_("not done within {seconds:g} s", seconds=deadline))
    return ToolResult(popen.returncode, tuple(kept))


def _read(popen: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    assert popen.stdout is not None
    with popen.stdout as stream:
        for line in stream:
            lines.put(line.decode("utf-8", "replace").rstrip())


def _reap(popen: subprocess.Popen[bytes], reader: threading.Thread, lines: queue.SimpleQueue[str | None]) -> None:
    popen.wait()
    kill_group(popen.pid)  # what it left behind would keep the output open …
    reader.join(1.0)  # … and what left its group is not waited for
    lines.put(None)


def uv(*words: str) -> list[str]:
    """The command line of uv. SettingsError where it is not installed."""
    import uv as package

    try:
        return [os.fspath(package.find_uv_bin()), *words]
    except FileNotFoundError:
        fix = f"{sys.executable} -m pip install uv"
        raise SettingsError(_("uv, which builds packages and environments, is not installed"), fix=fix) from None


def variables(environ: Mapping[str, str] | None, python: str, temp_dir: Path, *, registry: bool) -> dict[str, str]:
    """The environment of uv and of what it runs with the interpreter `python`: no secrets, files go to `temp_dir`.

    With `registry` the variables that lead to a package index are kept even where they hold a password: only for
    commands that run no code of the user.
    """
    given = os.environ if environ is None else environ
    needed = worker_environ(given, python, threads=1)
    kept = {name: value for name, value in needed.items() if name not in _MISLEADING}
    for name in (*_REGISTRY, *_BUILDING):
        for spelled in (name, name.lower()):
            if spelled in given and (registry or not has_password(given[spelled])):
                kept[spelled] = given[spelled]
    # Nothing is fetched behind the user's back: a missing interpreter is told with the command that gets it.
    own = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temp_dir))
    return {**kept, **own, **folders, "COLUMNS": "1000"}  # or the reason is broken into lines

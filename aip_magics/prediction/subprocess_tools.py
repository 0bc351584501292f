"""Run a command (uv, an interpreter) to completion with a deadline, streaming its output and leaving no process."""

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
KEPT_LINES = 400  # the last lines of the output

# Variables that lead uv to a package index. Other UV_ variables would select another interpreter or directory.
_REGISTRY = (
    "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR", "UV_OFFLINE", "UV_PYTHON_INSTALL_DIR", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip
# Variables that locate uv's data and configure compilers for extension modules.
_BUILDING = (
    "CC", "CXX", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "ARCHFLAGS", "PKG_CONFIG_PATH", "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET", "INCLUDE", "LIB", "LIBPATH", "CPATH", "LIBRARY_PATH", "SOURCE_DATE_EPOCH",
    "SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_USE_DISTUTILS", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
)  # fmt: skip
_MISLEADING = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "FORCE_COLOR", "PYTHONPATH"})


class ToolResult(NamedTuple):
    """The exit code of a command (negative for a signal) and the last lines of its output and error streams."""

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
    """Run a command to completion.

    On timeout and interruption, the command and all processes it started are killed.

    Args:
        words: the command line.
        cwd: the working directory.
        variables: the environment variables.
        deadline: the timeout in seconds.
        on_line: called with each line of output, in the caller's thread.

    Raises:
        TimeoutError: the deadline passed.
        OSError: the command could not be started.
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
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        kill_group(popen.pid)

    timer = threading.Timer(deadline, stop)
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
    if timed_out.is_set():
        raise TimeoutError(_("timed out after {seconds:g} s", seconds=deadline))
    return ToolResult(popen.returncode, tuple(kept))


def _read(popen: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    assert popen.stdout is not None
    with popen.stdout as stream:
        for line in stream:
            lines.put(line.decode("utf-8", "replace").rstrip())


def _reap(popen: subprocess.Popen[bytes], reader: threading.Thread, lines: queue.SimpleQueue[str | None]) -> None:
    popen.wait()
    kill_group(popen.pid)  # processes left behind would keep the output open …
    reader.join(1.0)  # … and processes that left the group are not waited for
    lines.put(None)


def uv_command(*words: str) -> list[str]:
    """Build a command line of uv. Raises SettingsError if uv is not installed."""
    import uv as package

    try:
        return [os.fspath(package.find_uv_bin()), *words]
    except FileNotFoundError:
        fix = f"{sys.executable} -m pip install uv"
        raise SettingsError(_("uv, which builds packages and environments, is not installed"), fix=fix) from None


def tool_environ(environ: Mapping[str, str] | None, python: str, temp_dir: Path, *, registry: bool) -> dict[str, str]:
    """Build the environment variables for uv: no secrets, temporary files in `temp_dir`.

    Args:
        environ: the variables to choose from; None uses those of this process.
        python: the interpreter that uv runs.
        temp_dir: the directory of temporary files.
        registry: whether to keep variables of a package index even if they hold a password. Only for commands that run
            none of the user's code.
    """
    available = os.environ if environ is None else environ
    needed = worker_environ(available, python, threads=1)
    kept = {name: value for name, value in needed.items() if name not in _MISLEADING}
    for name in (*_REGISTRY, *_BUILDING):
        for spelling in (name, name.lower()):
            if spelling in available and (registry or not has_password(available[spelling])):
                kept[spelling] = available[spelling]
    # uv must not download an interpreter without asking: the error for a missing one shows the command for that.
    own = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temp_dir))
    return {**kept, **own, **folders, "COLUMNS": "1000"}  # narrower output would break the reason into lines

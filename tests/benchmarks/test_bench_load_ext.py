"""How much later a notebook is ready for loading the extension: 2 ms, of which 0.8 ms for one that does nothing.

The start-up file, which knows the magics without importing the package, takes 1.4 ms (15 rounds, load 5).

Measured 2026-11-23 on a busy machine with 2 cores (load 4), medians of 9 rounds. Whole processes differ by less than
what they differ among themselves.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from request_loops import Goal, in_turns, seconds

pytestmark = pytest.mark.benchmark

BARE, LOADED, INSIDE, EMPTY = (
    "ipython", "ipython with %load_ext aip_magics", "%load_ext aip_magics in a fresh one",
    "floor: %load_ext of an empty extension",
)  # fmt: skip
STARTUP = Path(__file__).parents[2] / "jupyter-config" / "ipython" / "startup" / "50-aip-magics.py"
FILE = "the start-up file in a fresh one"
LIMIT = 50  # milliseconds
STARTUP_LIMIT = 5  # milliseconds
ROUNDS = 15
CODE = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
if sys.argv[1].endswith(".py"):
    shell.safe_execfile(sys.argv[1], shell.user_ns, raise_exceptions=True)
else:
    shell.run_line_magic("load_ext", sys.argv[1])
print(time.perf_counter() - start)
print(sorted(name for name in shell.magics_manager.magics["cell"] if name.startswith("aip_")))
"""


def test_bench_load_ext(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Any) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "empty_extension.py").write_text("def load_ipython_extension(shell):\n    pass\n")
    magics: dict[str, str] = {}

    def ipython(code: str) -> float:
        words = [sys.executable, "-m", "IPython", "--no-banner", "-c", code]
        return seconds(lambda: subprocess.run(words, check=True, capture_output=True, timeout=120))

    def inside(extension: str) -> float:
        words = [sys.executable, "-c", CODE, extension]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
        taken, magics[extension] = done.stdout.splitlines()
        return float(taken)

    measured = in_turns(
        {
            BARE: lambda: ipython("pass"),
            LOADED: lambda: ipython("%load_ext aip_magics"),
            INSIDE: lambda: inside("aip_magics"),
            EMPTY: lambda: inside("empty_extension"),
            FILE: lambda: inside(str(STARTUP)),
        },
        ROUNDS,
    )
    added = sorted(loaded - bare for loaded, bare in zip(measured[LOADED].seconds, measured[BARE].seconds, strict=True))
    tell("loading the extension:", *measured.values())
    for name, value, most in (
        ("whole process, loaded - bare", added[ROUNDS // 2], LIMIT),
        (INSIDE, _median(measured[INSIDE]), LIMIT),
        (FILE, _median(measured[FILE]), STARTUP_LIMIT),
    ):
        tell(f"  {name}: {value * 1000:.1f} ms; {Goal(most=most).told(value * 1000)}")
    assert "'aip_deploy'" in magics["aip_magics"]
    assert magics[str(STARTUP)] == magics["aip_magics"]
    assert magics["empty_extension"] == "[]"


def _median(way: Any) -> float:
    return float(sorted(way.seconds)[ROUNDS // 2])

"""A process of its own that looks into a model directory and checks it; prints seconds, megabytes and what it found.

Usage: measured_check.py DIRECTORY [PACKAGE …] [--instances FILE]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def most_memory() -> float:
    """The most memory that this process had at a time, in MB. Of this process alone: not of what it was forked from."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def main(arguments: list[str]) -> None:
    from aip_magics import checks
    from aip_magics.artifacts import inspect_model_dir
    from aip_magics.checks.context import TargetFacts
    from aip_magics.errors import AipError
    from aip_magics.spec import Model, Version

    directory, *packages = arguments
    request = None
    if "--instances" in packages:
        at = packages.index("--instances")
        request = Path(packages[at + 1]).read_bytes()
        del packages[at : at + 2]
    before, start = most_memory(), time.process_time()
    try:
        version = Version(runtimeVersion="2.11", pythonVersion="3.7", packageUris=tuple(packages) or None)
        found = inspect_model_dir(Path(directory))
        subject = checks.CheckContext(Model(name="m"), version, found, TargetFacts("local", is_cloud=False), request)
        report = checks.run(subject)
        told = [f"{one.id} {one.severity} {one.subject}: {one.message}"[:300] for one in report.findings]
    except AipError as error:
        told = [f"{type(error).__name__}: {error.message}"[:300]]
    took, memory = time.process_time() - start, most_memory() - before
    told_all = {"seconds": round(took, 2), "megabytes": round(memory, 1), "found": told}
    sys.stdout.write(f"{json.dumps(told_all)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

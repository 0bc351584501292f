"""The limit of file descriptors: raised, shared out, and told when it is reached."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys

import pytest
from server_process import ROOT

from aip_magics.errors import WorkerError
from aip_magics.server import descriptors
from aip_magics.server.descriptors import DescriptorBudget

RAISE = """
import os, resource
from aip_magics.server import descriptors
print(descriptors.raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE), os.environ.get("AIP_SOFT_DESCRIPTORS"))
"""
REFUSING = """
import resource
real = resource.setrlimit
def refuse(which, limits):  # as macOS does above kern.maxfilesperproc
    if limits[0] > 1500:
        raise ValueError("current limit exceeds maximum limit")
    real(which, limits)
resource.setrlimit = refuse
"""


def in_shell(line: str, code: str) -> list[str]:
    command = ["sh", "-c", f'{line}; exec "$@"', "sh", sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("line", "before", "expected"),
    [
        ("ulimit -S -n 256; ulimit -H -n 1500", "", ["1500", "1500", "1500", "256"]),
        ("ulimit -S -n 256; ulimit -H -n 3000", REFUSING, ["1024", "1024", "3000", "256"]),
        ("ulimit -n 300", "", ["300", "300", "300", "None"]),
    ],
)
def test_descriptors_limit_is_raised_as_far_as_the_system_allows(line, before, expected):
    assert in_shell(line, before + RAISE) == expected


@pytest.mark.parametrize("limit", [64, 256, 1024, 4096, 1 << 20])
def test_descriptors_allotment_fits_the_limit(limit):
    budget = DescriptorBudget.of(limit)
    assert budget.nodes >= descriptors.START_DESCRIPTORS
    assert 16 <= budget.connections <= descriptors.MOST_CONNECTIONS
    if limit >= descriptors.SMALL_LIMIT:
        connections = descriptors.CONNECTION_DESCRIPTORS * budget.connections
        assert budget.nodes + connections + descriptors.BASE_DESCRIPTORS < limit
        assert budget.nodes >= limit // 3
    assert DescriptorBudget.of(None) == DescriptorBudget(None, None, descriptors.MOST_CONNECTIONS)


def test_descriptors_that_are_used_up_are_recognized(tmp_path):
    full = OSError(errno.EMFILE, "Too many open files")
    lost = WorkerError("the interpreter cannot be run")
    lost.__cause__ = full
    assert descriptors.is_exhausted(full)
    assert descriptors.is_exhausted(lost)
    assert not descriptors.is_exhausted(OSError(errno.ENOSPC, "no space"))
    with pytest.raises(sqlite3.OperationalError) as missing:
        sqlite3.connect(tmp_path / "no" / "such")
    assert not descriptors.is_exhausted(missing.value)
    code = """
import contextlib, os, sqlite3
from aip_magics.server import descriptors
with contextlib.suppress(OSError):
    while True:
        os.open(os.devnull, os.O_RDONLY)
try:
    sqlite3.connect("some.sqlite")
except sqlite3.Error as error:
    print(descriptors.is_exhausted(error))
"""
    assert in_shell(f"cd {tmp_path}; ulimit -n 64", code) == ["True"]


def test_descriptors_error_names_limit_and_remedy():
    error = descriptors.exhausted()
    assert f"limit {descriptors.limit()}" in error.message
    assert "ulimit -n" in error.message
    assert error.details[0]["retryDelay"] == "1s"

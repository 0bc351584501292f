"""Which operations a release of TensorFlow has: a graph with another one does not load there (`ops.toml`)."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable, Mapping
from typing import Any

from aip_magics import toml_reader

Release = tuple[int, int]


def lacking(ops: Iterable[str], tensorflow: str) -> dict[str, str | None]:
    """The operations that TensorFlow `tensorflow` (`2.8`, `2.8.4`) surely does not have, sorted.

    The value is the first release known to have it, None for an operation of no release: a custom one. Nothing is said
    about releases newer than the newest that was looked into.
    """
    table = _table()
    wanted = _release(tensorflow)
    # Of a release between two that were looked into, the newer one bounds what it can have.
    bound = next((release for release in table.releases if release >= wanted), None)
    if bound is None:
        return {}
    found: dict[str, str | None] = {}
    for op in sorted(ops):
        first, last = table.first.get(op), table.last.get(op)
        if op.startswith("_"):
            continue
        if first is None:
            found[op] = None
        elif first > bound or (last is not None and last < wanted and wanted in table.releases):
            found[op] = "{}.{}".format(*first)
    return found


class _Table:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.releases = tuple(map(_release, data["releases"]))
        self.first = {op: _release(text) for text, names in data["first"].items() for op in names.split()}
        self.last = {op: _release(text) for text, names in data["last"].items() for op in names.split()}


@functools.cache
def _table() -> _Table:
    return _Table(toml_reader.loads(importlib.resources.files(__package__).joinpath("ops.toml").read_text("utf-8")))


def _release(version: str) -> Release:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        raise ValueError(f"{version!r} is no release of TensorFlow")
    return int(major), int(minor)

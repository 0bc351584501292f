"""Files that stand for others: Git LFS pointers, and web pages saved under the name of what was to be downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from aip_magics.artifacts.facts import Placeholder

_MAX_FILES = 1000  # opened; the service takes no more
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1024  # of the specification
_PAGE = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_PAGE_BYTES = 4 << 20
_PAGES = (".html", ".htm", ".xhtml", ".shtml", ".md", ".tmpl", ".jinja", ".j2")  # what may well begin like a page


def find_placeholders(files: Iterable[tuple[str, Path, int]]) -> tuple[Placeholder, ...]:
    """Those of the files (name, path, size in bytes) that are none of what their names say."""
    return tuple(_found(files))


def _found(files: Iterable[tuple[str, Path, int]]) -> Iterator[Placeholder]:
    opened = 0
    for name, path, size in files:
        if not 15 <= size <= _PAGE_BYTES:
            continue
        opened += 1
        if opened > _MAX_FILES:
            return
        try:
            with path.open("rb", buffering=0) as file:
                head = file.read(1024)
        except OSError:
            continue  # whoever reads it for a better reason says so
        if size <= _POINTER_BYTES and head.startswith(_POINTER):
            yield Placeholder(name, "git-lfs-pointer")
        elif not name.lower().endswith(_PAGES) and _PAGE.match(head):
            yield Placeholder(name, "html")

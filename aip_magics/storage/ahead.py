"""Reading big files while an answer is awaited, so that their strong hash can go along with them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from aip_magics.storage.crew import Stopped
from aip_magics.storage.digests import Digests


@contextlib.contextmanager
def reading_ahead(paths: list[Path], digests: Digests) -> Iterator[None]:
    """Have `digests` read these files as far as it gets until the end; nothing waits for it, nothing fails by it."""
    stopping = threading.Event()

    def check() -> None:
        if stopping.is_set():
            raise Stopped

    def read() -> None:
        with contextlib.suppress(Stopped, OSError):  # whoever needs the file will tell
            for path in paths:
                check()
                if digests.known(path) is None:
                    digests.read(path, check)

    if paths:
        threading.Thread(target=read, name="digests", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()

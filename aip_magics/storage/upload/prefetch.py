"""Prefetch of digests: hash large files in the background while the listing is fetched."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.thread_pool import TransferStopped


@contextlib.contextmanager
def prefetch_digests(paths: list[Path], digests: DigestCache) -> Iterator[None]:
    """Compute the digests of these files until the block ends; nothing waits for them and nothing fails."""
    stopping = threading.Event()

    def check() -> None:
        if stopping.is_set():
            raise TransferStopped

    def read() -> None:
        with contextlib.suppress(TransferStopped, OSError):  # the upload of the file reports its error
            for path in paths:
                check()
                if digests.get_cached(path) is None:
                    digests.compute(path, check)

    if paths:
        threading.Thread(target=read, name="digests", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()

"""Run by the benchmarks as a process: obstore (Rust's object_store), many files at a time, large ones in parts.

Threads, not `put_async`: with obstore 0.12.1 a process that used it aborts now and then at its end.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from obstore.store import GCSStore

UPLOADS = 32
PART = 8 << 20


def main() -> None:
    url, source, prefix = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    config = {"base_url": url, "bearer_token": "t"}
    store = GCSStore("bucket", config=config, client_options={"allow_http": True})

    def put(path: Path) -> None:
        store.put(prefix + path.relative_to(source).as_posix(), path, chunk_size=PART, max_concurrency=12)

    with ThreadPoolExecutor(UPLOADS) as threads:
        list(threads.map(put, [path for path in source.rglob("*") if path.is_file()]))


if __name__ == "__main__":
    main()

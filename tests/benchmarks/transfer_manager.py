"""Run by the benchmarks as a process: what google-cloud-storage offers for directories, with threads."""

from __future__ import annotations

import sys
from pathlib import Path

from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.oauth2.credentials import Credentials

WORKERS = 8
LARGE = 64 << 20  # bytes above which a file goes in parts, as with us


def main() -> None:
    url, source, prefix = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    client = storage.Client("demo", credentials=Credentials("t"), client_options={"api_endpoint": url})
    bucket = client.bucket("bucket")
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    large = [name for name in names if (source / name).stat().st_size > LARGE]
    for name in large:
        transfer_manager.upload_chunks_concurrently(
            str(source / name),
            bucket.blob(prefix + name),
            chunk_size=8 << 20,
            max_workers=WORKERS,
            worker_type=transfer_manager.THREAD,
        )
    transfer_manager.upload_many_from_filenames(
        bucket,
        [name for name in names if name not in large],
        source_directory=str(source),
        blob_name_prefix=prefix,
        worker_type=transfer_manager.THREAD,
        max_workers=WORKERS,
        raise_exception=True,
    )


if __name__ == "__main__":
    main()

"""What a `pull` would fetch, as a value: the objects that are there, against the files that are here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from aip_magics.errors import StorageError
from aip_magics.language import say
from aip_magics.storage import Digests, GsUri, Remote, Store, listing
from aip_magics.storage.objects import find
from aip_magics.storage.pull import bad_name

Kind = Literal["fetch", "keep"]


@dataclasses.dataclass(frozen=True)
class PullPlan:
    """Objects below `source`, and the directory whose files they become.

    `rows` are (kind, name, size in bytes), those that are fetched first; names are relative to `source`. `all`: they
    are all that lies there, else the one object that was named.
    """

    source: GsUri
    directory: Path
    rows: tuple[tuple[Kind, str, int], ...]
    all: bool = True

    def to_json(self) -> dict[str, Any]:
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        return {"source": str(self.source), "directory": str(self.directory), "files": files}


def pull_plan(store: Store, source: str, directory: Path, digests: Digests) -> PullPlan:
    """Compare by size and CRC32C, as `storage.pull` does, after one listing.

    StorageError where there is nothing, or a name cannot be a file's.
    """
    place, objects, single = _there(store, source)
    rows: list[tuple[Kind, str, int]] = []
    with digests as known:
        for remote in objects:
            if bad_name(remote.name):
                text = say("an object of this name cannot become a file")
                raise StorageError(text, where=f"{place}{remote.name}")
            kind: Kind = "keep" if _is_here(remote, directory / remote.name, known) else "fetch"
            rows.append((kind, remote.name, remote.size))
    return PullPlan(place, directory, tuple(sorted(rows)), all=not single)


def _there(store: Store, source: str) -> tuple[GsUri, list[Remote], bool]:
    """The directory, the objects by their names below it, and whether it is one object that was named."""
    place = GsUri.parse(source)
    name = place.prefix.rstrip("/")
    one = find(store, place.bucket, name) if name and not source.endswith("/") else None
    if one is not None:
        above, _, base = name.rpartition("/")
        return GsUri(place.bucket, f"{above}/" if above else ""), [dataclasses.replace(one, name=base)], True
    found = [remote for name, remote in listing(store, place).items() if not name.endswith("/")]
    if not found:
        fix = say("look at the name again: gcloud storage ls gs://BUCKET")
        raise StorageError(say("nothing is there"), where=source, fix=fix)
    return place, found, False


def _is_here(remote: Remote, path: Path, known: Digests) -> bool:
    try:
        return path.stat().st_size == remote.size and known.of(path).crc32c == remote.crc32c
    except OSError:
        return False

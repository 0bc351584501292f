"""What a download has to do: the objects that are there against the files that are here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from aip_magics.errors import StorageError
from aip_magics.language import say
from aip_magics.storage.digests import Digests
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import Remote, find, listing
from aip_magics.storage.store import Store

Kind = Literal["fetch", "keep"]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """An object, by its name below the source, and the file that it becomes. `kept`: that is the same already."""

    remote: Remote
    path: Path
    kept: bool


@dataclasses.dataclass(frozen=True)
class PullPlan:
    """The objects below `source`, and the directory whose files they become.

    `all`: they are all that lies there, else the one object that was named.
    """

    source: GsUri
    directory: Path
    wanted: tuple[Wanted, ...]
    all: bool = True

    @property
    def rows(self) -> tuple[tuple[Kind, str, int], ...]:
        """(kind, name, size in bytes) of every object, those that are fetched first."""
        return tuple(
            sorted(("keep" if each.kept else "fetch", each.remote.name, each.remote.size) for each in self.wanted)
        )

    def to_json(self) -> dict[str, Any]:
        files = [{"name": name, "size": size, "kind": kind} for kind, name, size in self.rows]
        return {"source": str(self.source), "directory": str(self.directory), "files": files}


def plan_pull(store: Store, source: GsUri | str, directory: Path, digests: Digests | None = None) -> PullPlan:
    """Compare by size and CRC32C, after one listing. A `source` without a slash at its end may name one object.

    StorageError where there is nothing, or a name cannot be a file's.
    """
    place, objects, single = _there(store, str(source))
    for remote in objects:
        if bad_name(remote.name):
            raise StorageError(say("an object of this name cannot become a file"), where=f"{place}{remote.name}")
    wanted = [(remote, directory / remote.name) for remote in objects]
    with digests or Digests() as known:
        known.look_up(path for _, path in wanted)
        return PullPlan(
            place,
            directory,
            tuple(Wanted(remote, path, _is_same(remote, path, known)) for remote, path in wanted),
            all=not single,
        )


def bad_name(name: str) -> bool:
    """Whether an object of this name cannot become a file. A name may be anything; nothing is written outside."""
    return any(part in ("", ".", "..") for part in name.split("/")) or bool(set(name) & {"\0", "\\", ":"})


def _there(store: Store, source: str) -> tuple[GsUri, list[Remote], bool]:
    """The directory, the objects by their names below it, and whether it is one object that was named."""
    bucket, _, name = source.removeprefix("gs://").partition("/")
    if name and not name.endswith("/"):
        single = find(store, bucket, name)
        if single is not None:
            above, _, base = name.rpartition("/")
            return GsUri(bucket, f"{above}/" if above else ""), [dataclasses.replace(single, name=base)], True
    directory = GsUri.parse(source)
    objects = [remote for name, remote in sorted(listing(store, directory).items()) if not name.endswith("/")]
    if not objects:
        fix = say("look at the name again: gcloud storage ls gs://BUCKET")
        raise StorageError(say("nothing is there"), where=source, fix=fix)
    return directory, objects, False


def _is_same(remote: Remote, path: Path, known: Digests) -> bool:
    try:
        return path.stat().st_size == remote.size and known.of(path).crc32c == remote.crc32c
    except OSError:
        return False

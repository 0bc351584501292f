"""Names for completion: learnt from what commands were given and returned, one set for each place."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from aip_magics.commands.common import name_cache
from aip_magics.commands.common.command import Context
from aip_magics.settings import Environment
from aip_magics.spec import Model, Operation, OperationMetadata, Version

IRIS, BEES = Model(name="projects/p/models/iris"), Model(name="projects/p/models/bees")
V1 = Version(name="projects/p/models/iris/versions/v1", deploymentUri="gs://p-models/iris/v1/")
V2 = Version(name="projects/p/models/iris/versions/v2")


class Silent:
    def emit(self, event: Any) -> None: ...

    def show(self, value: Any) -> None: ...


@pytest.fixture
def place(tmp_path: Path) -> Any:
    """learn(verb, value, **arguments) and read(**arguments), both in a home of their own."""
    environment = Environment({"AIP_MAGICS_HOME": str(tmp_path / "home")}, {})
    context = Context(Silent(), environment=environment)

    class Place:
        file = tmp_path / "home" / name_cache.FILE

        @staticmethod
        def args(**given: Any) -> argparse.Namespace:
            places = dict.fromkeys(("target", "project", "region", "endpoint", "storage_endpoint"))
            return argparse.Namespace(**{**places, **given})

        def learn(self, verb: str, value: Any, **given: Any) -> None:
            name_cache.record_names(verb, self.args(**given), value, context)

        def read(self, **given: Any) -> name_cache.CachedNames:
            return name_cache.read(context.settings(self.args(**given)))

    return Place()


def test_name_cache_has_what_was_returned(place: Any) -> None:
    place.learn("deploy", V1, model="iris", staging_bucket="gs://mine/models", package_uris=["gs://own/a.tar.gz", "b"])
    place.learn("list", [IRIS, BEES])
    place.learn("describe", Operation(metadata=OperationMetadata(operationType="CREATE_VERSION", version=V2)))
    assert place.read().models == {"iris": ["v1", "v2"], "bees": []}
    assert sorted(place.read().buckets) == ["mine", "own", "p-models"]
    assert place.file.stat().st_mode & 0o777 == 0o600


def test_name_cache_learns_from_a_list_what_is_gone(place: Any) -> None:
    place.learn("list", [IRIS, BEES])
    place.learn("list", [V1, V2], model="iris")
    place.learn("list", [V2], model="iris")
    assert place.read().models == {"iris": ["v2"], "bees": []}
    place.learn("list", [Operation(name="projects/p/operations/o")], operations=True)
    assert place.read().models == {"iris": ["v2"], "bees": []}
    place.learn("list", [IRIS])
    assert place.read().models == {"iris": ["v2"]}


def test_name_cache_forgets_what_was_deleted(place: Any) -> None:
    place.learn("list", [V1, V2], model="iris")
    place.learn("delete", None, model="iris", version="v1")
    assert place.read().models == {"iris": ["v2"]}
    place.learn("delete", None, model="iris", version=None)
    assert place.read().models == {}


def test_name_cache_is_separate_for_each_target(place: Any) -> None:
    place.learn("list", [IRIS])
    cloud = {"target": "aiplatform", "project": "other-project"}
    place.learn("list", [BEES], **cloud)
    assert list(place.read().models) == ["iris"]
    assert list(place.read(**cloud).models) == ["bees"]
    assert place.read(**cloud, region="us-central1") == name_cache.CachedNames()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"local global aip-local": {"models": 3}}', "\udcff"])
def test_name_cache_takes_a_damaged_file_for_an_empty_one(place: Any, content: str) -> None:
    place.file.parent.mkdir()
    place.file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert place.read() == name_cache.CachedNames()
    place.learn("list", [IRIS])
    assert list(place.read().models) == ["iris"]


def test_name_cache_writes_nothing_when_nothing_is_new(place: Any) -> None:
    place.learn("list", [IRIS])
    before = place.file.stat().st_ino
    place.learn("list", [IRIS])
    assert place.file.stat().st_ino == before  # a write replaces the file


def test_name_cache_works_without_a_file_it_can_read_or_write(place: Any) -> None:
    assert place.read() == name_cache.CachedNames()
    place.file.parent.write_text("a file where the directory should be")
    place.learn("list", [IRIS])
    assert place.read() == name_cache.CachedNames()


def test_name_cache_file_stays_small(place: Any) -> None:
    place.learn("list", [Model(name=f"projects/p/models/m{number}") for number in range(2000)])
    assert len(place.read().models) == name_cache.MAX_NAMES
    assert len(json.dumps(place.file.read_text())) < 100_000

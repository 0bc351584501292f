"""Removal of objects: what a URI names and nothing else, one generation of each, again after a stop."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults_server import FaultServer
from storage_fixtures import MakeFiles

from aip_magics.errors import Interrupted, StorageError
from aip_magics.storage import (
    GsUri,
    RemovalPlan,
    RemovalRun,
    RemovalUri,
    RetryPolicy,
    StorageClient,
    plan_removal,
    plan_upload,
    upload,
    url_paths,
)
from aip_magics.storage.object_api import iterate_resources

# What an object may be called, and what a program on the way could take for something else.
HOSTILE = (
    "../v2/model",
    "a/../../b",
    "./x",
    "-rf",
    "--all",
    "%2F",
    "a%2Fb",
    "a b/ c ",
    "단어/é.txt",
    "e\u0301.txt",
    "x\x1b[2J\x07",
    "\u202egnp.exe",
    "a*b",
    "a?b#1",
    "[ab]",
    "$(touch gone)`'\"\\",
    "//",
    "dir/",
    "a&ifGenerationMatch=1",
    "?alt=media",
)
QUICK = RetryPolicy(initial_delay=0.01, max_delay=0.1, give_up_after=20.0, read_timeout=10.0)
Put = Callable[..., None]


@pytest.fixture
def put(client: StorageClient) -> Put:
    """Write objects by their full names, without any of our upload code."""

    def write(bucket: str, *names: str, content: bytes = b"x") -> None:
        for name in names:
            query = urllib.parse.urlencode({"uploadType": "media", "name": name})
            client.request("POST", f"{url_paths.upload_path(bucket)}?{query}", where=name, body=content)

    return write


def plan(client: StorageClient, *uris: str) -> RemovalPlan:
    return plan_removal(client, map(RemovalUri.parse, uris))


def names_below(client: StorageClient, directory: GsUri) -> set[str]:
    return {str(each["name"])[len(directory.prefix) :] for each in iterate_resources(client, directory)}


def test_removal_of_one_object_and_of_a_directory(client: StorageClient, destination: GsUri, put: Put) -> None:
    names = ("v1", "v1/a", "v1/b/c", "v10/a", "v1.txt", "iris2")
    put(destination.bucket, *(destination.prefix + name for name in names), content=b"12345")
    one = RemovalRun(client, plan(client, f"{destination}v1")).run()
    assert one.names == (f"{destination}v1",)
    assert names_below(client, destination) == set(names) - {"v1"}
    below = RemovalRun(client, plan(client, f"{destination}v1/")).run()
    assert below.names == (f"{destination}v1/a", f"{destination}v1/b/c")
    assert (below.count, below.bytes, below.replaced) == (2, 10, ())
    assert names_below(client, destination) == {"v10/a", "v1.txt", "iris2"}


def test_removal_plan_has_an_object_once_and_names_what_is_missing(
    client: StorageClient, destination: GsUri, put: Put
) -> None:
    put(destination.bucket, f"{destination.prefix}a/b", f"{destination.prefix}a/c")
    found = plan(client, f"{destination}a/b", f"{destination}a/", f"{destination}none/")
    assert [each.uri for each in found.objects] == [f"{destination}a/b", f"{destination}a/c"]
    assert found.missing == (f"{destination}none/",)
    assert json.loads(json.dumps(found.to_json()))["count"] == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_removal_takes_names_letter_for_letter(client: StorageClient, destination: GsUri, put: Put, name: str) -> None:
    others = {other for other in HOSTILE if not other.startswith(name)} | {"model", "v2/model", "b", "a", "rf"}
    put(destination.bucket, *(destination.prefix + each for each in {*others, name}))
    removal = RemovalRun(client, plan(client, f"{destination}{name}")).run()
    assert removal.names == (f"{destination}{name}",)
    assert names_below(client, destination) == others


@pytest.mark.parametrize(
    ("uri", "message", "fix"),
    [
        ("{}v1", "a directory, not an object", "add a slash to delete all objects below: {}v1/"),
        ("{}v1/model/", "an object, not a directory", "remove the slash to delete the object: {}v1/model"),
        ("{}v2", "no objects found", "check the name with `gcloud storage ls gs://BUCKET`"),
        ("{}v", "no objects found", "check the name with `gcloud storage ls gs://BUCKET`"),
        ("gs://no-such-bucket/x/", "no objects found", "check the name with `gcloud storage ls gs://BUCKET`"),
        ("{}v1/*", "no objects found: * is not a wildcard here", "list the names with %aip_remove {}v1/ --dry-run"),
        (
            "gs://no-such-bucket/a b/*",
            "no objects found: * is not a wildcard here",
            "list the names with %aip_remove 'gs://no-such-bucket/a b/'",
        ),
        ("{}v1/mod[e-f]l", "no objects found: [ is not a wildcard here", "list the names with %aip_remove {}v1/"),
    ],
)
def test_removal_plan_without_objects_says_what_exists(
    client: StorageClient, destination: GsUri, put: Put, uri: str, message: str, fix: str
) -> None:
    put(destination.bucket, f"{destination.prefix}v1/model")
    with pytest.raises(StorageError) as caught:
        plan(client, uri.format(destination))
    assert caught.value.message == message
    assert caught.value.fix.startswith(fix.format(destination))


@pytest.mark.parametrize("uri", ["bucket/x", "gs://", "gs:///x", "gs://Bucket/x", "gs://bucket/a\nb", "gs://bucket/.."])
def test_removal_uri_refuses_what_names_nothing(uri: str) -> None:
    with pytest.raises(StorageError):
        RemovalUri.parse(uri)


def test_removal_keeps_an_object_that_was_replaced_after_the_list(
    client: StorageClient, destination: GsUri, put: Put
) -> None:
    names = [f"{destination.prefix}{name}" for name in "abc"]
    put(destination.bucket, *names)
    planned = plan(client, str(destination))
    put(destination.bucket, names[1], content=b"newer")
    RemovalRun(client, plan(client, f"gs://{destination.bucket}/{names[2]}")).run()  # gone meanwhile: counts as deleted
    removal = RemovalRun(client, planned).run()
    assert removal.replaced == (f"{destination}b",)
    assert removal.names == (f"{destination}a", f"{destination}c")
    assert names_below(client, destination) == {"b"}


def test_removal_of_more_objects_than_a_page(client: StorageClient, destination: GsUri, files: MakeFiles) -> None:
    made = files({f"d/{number:04}": b"x" for number in range(1200)})
    upload(client, plan_upload(client, made, destination))
    shown = []
    removal = RemovalRun(client, plan(client, str(destination)), progress=shown.append).run()
    assert (removal.count, removal.bytes) == (1200, 1200)
    assert names_below(client, destination) == set()
    assert (shown[-1].files_done, shown[-1].files_total) == (1200, 1200)


def test_removal_is_stopped_and_repeated(client: StorageClient, destination: GsUri, files: MakeFiles) -> None:
    upload(client, plan_upload(client, files({f"{number:03}": b"x" for number in range(600)}), destination))
    cancel = threading.Event()

    def stop(now: Any) -> None:
        if now.files_done > 20:
            cancel.set()

    run = RemovalRun(client, plan(client, str(destination)), progress=stop, cancel=cancel)
    with pytest.raises(Interrupted):
        run.run()
    stopped = run.result
    time.sleep(0.2)  # a request that was on its way arrives
    left = names_below(client, destination)
    assert 20 < stopped.count < 600
    assert not {name.removeprefix(str(destination)) for name in stopped.names} & left
    assert RemovalRun(client, plan(client, str(destination))).run().count <= len(left)
    assert names_below(client, destination) == set()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path_factory.mktemp("faulty"))
    server.store.buckets.create("demo", {"name": "bucket"})
    yield server
    server.stop()


@pytest.mark.parametrize("fault", ["return-503", "return-429", "return-reset-connection", "lose-answer"])
def test_removal_passes_faults_of_a_delete(faulty: FaultServer, fault: str, tmp_path: Path) -> None:
    client = StorageClient(faulty.url, policy=QUICK)
    query = urllib.parse.urlencode({"uploadType": "media", "name": f"{fault}/a"})
    client.request("POST", f"{url_paths.upload_path('bucket')}?{query}", where="a", body=b"x")
    planned = plan(client, f"gs://bucket/{fault}/")
    faulty.faults.everywhere = faulty.faults.plan({"storage.objects.delete": [fault, fault]})
    assert RemovalRun(client, planned).run().names == (f"gs://bucket/{fault}/a",)
    faulty.faults.everywhere = ""
    assert names_below(client, GsUri("bucket", f"{fault}/")) == set()
    client.close()


def test_removal_tells_what_is_deleted_after_an_error(faulty: FaultServer) -> None:
    client = StorageClient(faulty.url, policy=QUICK)
    for number in range(30):
        query = urllib.parse.urlencode({"uploadType": "media", "name": f"held/{number}"})
        client.request("POST", f"{url_paths.upload_path('bucket')}?{query}", where="held", body=b"x")
    run = RemovalRun(client, plan(client, "gs://bucket/held/"))
    faulty.faults.everywhere = faulty.faults.plan({"storage.objects.delete": ["return-403"]})
    with pytest.raises(StorageError, match="HTTP 403") as caught:
        run.run()
    faulty.faults.everywhere = ""
    left = {f"gs://bucket/held/{name}" for name in names_below(client, GsUri("bucket", "held/"))}
    assert caught.value.where in left
    assert run.result.count < 30
    assert not set(run.result.names) & left
    assert RemovalRun(client, plan(client, "gs://bucket/held/")).run().count == len(left)
    client.close()

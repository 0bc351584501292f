"""Buckets on a real server: created as they should be, used if they exist, and errors about other users' buckets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import requests
from faults_server import FaultServer

from aip_magics.errors import StorageError
from aip_magics.retry import RetryPolicy
from aip_magics.storage.bucket import (
    Bucket,
    bucket_readers,
    create_bucket,
    ensure_bucket,
    find_bucket,
    grant_command,
)
from aip_magics.storage.http.client import StorageClient

AGENT = "service-123@cloud-ml.google.com.iam.gserviceaccount.com"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path_factory.mktemp("buckets"))
    yield server
    server.stop()


@pytest.fixture
def name() -> str:
    return f"some-bucket-{next(_numbers)}"


@pytest.fixture
def client(server: FaultServer) -> Iterator[StorageClient]:
    server.faults.asked.clear()
    server.faults.everywhere = ""
    client = StorageClient(server.url, policy=RetryPolicy(initial_delay=0.01, give_up_after=5))
    yield client
    client.close()


def meet(server: FaultServer, **faults: list[str]) -> None:
    named = {operation.replace("_", "."): wanted for operation, wanted in faults.items()}
    server.faults.everywhere = server.faults.plan(named)


def test_bucket_that_is_new_is_closed_to_the_public(server: FaultServer, client: StorageClient, name: str) -> None:
    made = ensure_bucket(client, name, project="demo", location="europe-west4")
    assert (made.created, made.location) == (True, "europe-west4")
    about = requests.get(f"{server.url}/storage/v1/b/{name}").json()
    assert about["location"] == "EUROPE-WEST4"
    assert about["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert about["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] is True
    assert about["projectNumber"] == made.project_number


def test_bucket_that_exists_is_used(server: FaultServer, client: StorageClient, name: str) -> None:
    assert find_bucket(client, name) is None
    server.store.buckets.create("demo", {"name": name, "location": "us-east1"})
    found = ensure_bucket(client, name, project="demo", location="europe-west4")
    assert (found.created, found.location) == (False, "us-east1")
    assert "storage.buckets.insert" not in server.faults.asked


def test_bucket_with_an_illegal_name_is_refused_before_any_request(server: FaultServer, client: StorageClient) -> None:
    for wrong in ("Models", "ab", "a_b.google", "10.0.0.1", "-x-", "x" * 64):
        with pytest.raises(StorageError):
            ensure_bucket(client, wrong, project="demo", location="us-central1")
    assert server.faults.asked == []


def test_bucket_with_a_taken_name(server: FaultServer, client: StorageClient, name: str) -> None:
    meet(server, storage_buckets_get=["return-403"], storage_buckets_testIamPermissions=["return-403"])
    with pytest.raises(StorageError, match="no permission to use it") as caught:
        ensure_bucket(client, name, project="demo", location="us-central1")
    assert caught.value.where == f"gs://{name}"
    assert "another bucket" in caught.value.fix
    meet(server, storage_buckets_insert=["return-409"])
    with pytest.raises(StorageError, match="already in use") as caught:
        ensure_bucket(client, name, project="demo", location="us-central1")
    assert "globally unique" in caught.value.fix


def test_bucket_needs_rights_on_the_objects_alone(server: FaultServer, client: StorageClient, name: str) -> None:
    server.store.buckets.create("demo", {"name": name, "location": "us-east1"})
    meet(server, storage_buckets_get=["return-403"])
    found = ensure_bucket(client, name, project="demo", location="us-central1")
    assert found == Bucket(name)
    assert found.is_in("us-central1")  # nothing is said about what is not known


@pytest.mark.parametrize(
    ("fault", "message", "fix"),
    [
        ("return-403", "no permission to create a bucket in project demo", "roles/storage.admin"),
        ("return-400", "could not create the bucket in mars-west1", "--region"),
        ("return-401", "authentication failed", "gcloud auth"),
    ],
)
def test_bucket_that_cannot_be_created(
    server: FaultServer, client: StorageClient, name: str, fault: str, message: str, fix: str
) -> None:
    meet(server, storage_buckets_insert=[fault, fault])
    with pytest.raises(Exception, match=message) as caught:
        create_bucket(client, name, project="demo", location="mars-west1")
    assert fix in getattr(caught.value, "fix", "")


@pytest.mark.parametrize("fault", ["return-503", "return-429", "return-reset-connection", "return-broken-stream"])
def test_bucket_requests_are_retried(server: FaultServer, client: StorageClient, name: str, fault: str) -> None:
    meet(server, storage_buckets_get=[fault], storage_buckets_insert=[fault])
    assert ensure_bucket(client, name, project="demo", location="us-central1").location == "us-central1"
    assert server.faults.completed(server.faults.everywhere)


def test_bucket_request_with_a_lost_response_makes_no_taken_name(
    server: FaultServer, client: StorageClient, name: str
) -> None:
    meet(server, storage_buckets_insert=["lose-answer"])
    assert ensure_bucket(client, name, project="demo", location="us-central1").name == name


@pytest.mark.parametrize(
    ("location", "regions", "inside", "outside"),
    [
        ("us-central1", (), "us-central1", "us-east1"),
        ("us", (), "us-west1", "europe-west1"),
        ("us", (), "us-east1", "northamerica-northeast1"),
        ("eu", (), "europe-west1", "europe-west2"),
        ("asia", (), "asia-east1", "australia-southeast1"),
        ("nam4", (), "us-east1", "us-west1"),
        ("us", ("us-east1", "us-east4"), "us-east4", "us-west1"),
        ("", (), "us-west1", None),
    ],
)
def test_bucket_location_contains_regions(
    location: str, regions: tuple[str, ...], inside: str, outside: str | None
) -> None:
    bucket = Bucket("b", location, regions)
    assert bucket.is_in(inside)
    assert outside is None or not bucket.is_in(outside)


def test_bucket_readers_are_told(server: FaultServer, client: StorageClient, name: str) -> None:
    ensure_bucket(client, name, project="demo", location="us-central1")
    assert bucket_readers(client, name) == set()
    roles = {
        "objectViewer": ["allUsers", "user:viewer@example.com"],
        "objectCreator": ["user:writer@example.com"],
        "legacyBucketReader": ["user:both@example.com", "user:lists@example.com"],
        "legacyObjectReader": ["user:both@example.com", "user:gets@example.com"],
    }
    bindings = [{"role": f"roles/storage.{role}", "members": members} for role, members in roles.items()]
    sometimes = {"role": "roles/storage.admin", "members": ["user:x@example.com"], "condition": {"title": "on Mondays"}}
    server.store.buckets.set_policy(name, {"bindings": [*bindings, sometimes]})
    assert bucket_readers(client, name) == {"allUsers", "user:viewer@example.com", "user:both@example.com"}


def test_bucket_policy_that_cannot_be_read(client: StorageClient, name: str) -> None:
    with pytest.raises(StorageError, match="404"):
        bucket_readers(client, name)


def test_bucket_grant_for_the_service() -> None:
    assert grant_command("their-bucket", AGENT) == (
        "gcloud storage buckets add-iam-policy-binding gs://their-bucket "
        f"--member=serviceAccount:{AGENT} --role=roles/storage.objectViewer"
    )

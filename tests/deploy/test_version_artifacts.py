"""Which versions use an object, and which objects go with a version: decided by values, nothing is sent."""

from __future__ import annotations

import pytest

from aip_magics.deploy.version_artifacts import ArtifactPlan, ArtifactUsers, ListedVersion, keep_used
from aip_magics.spec import Version
from aip_magics.storage import PlannedRemoval, RemovalPlan


def listed(name: str, origin: str | None = None, *packages: str, region: str = "") -> ListedVersion:
    model, _, version = name.partition("/")
    full = f"projects/p/models/{model}/versions/{version}"
    return ListedVersion(Version(name=full, deploymentUri=origin, packageUris=packages or None), region)


def planned(*names: str) -> tuple[PlannedRemoval, ...]:
    return tuple(PlannedRemoval("b", name, 1, 7) for name in names)


@pytest.mark.parametrize(
    ("origin", "uri", "uses"),
    [
        ("gs://b/iris/v1/", "gs://b/iris/v1/model", True),
        ("gs://b/iris/v1", "gs://b/iris/v1/a/b", True),  # the service takes the directory without its slash
        ("gs://b/iris/v1//", "gs://b/iris/v1/model", True),
        ("gs://b/iris/v1/", "gs://b/iris/v10/model", False),
        ("gs://b/iris/v1", "gs://b/iris/v10", False),
        ("gs://b/iris", "gs://b/iris2/v1/model", False),
        ("gs://b/iris/v1/", "gs://b/iris", False),
        ("gs://b/iris/v1/", "gs://c/iris/v1/model", False),
        ("gs://b/model.joblib", "gs://b/model.joblib", True),
        ("gs://b", "gs://b/anything", True),
        ("gs://b/", "gs://b/a/b/c", True),
        (None, "gs://b/x", False),
    ],
)
def test_artifact_users_find_the_versions_of_a_directory(origin: str | None, uri: str, uses: bool) -> None:
    users = ArtifactUsers([listed("iris/v1", origin), listed("other/v1", "gs://other/x/")])
    assert users.find(uri) == ({"iris/v1"} if uses else set())


def test_artifact_users_find_the_versions_of_a_package() -> None:
    uri = "gs://b/packages/a.tar.gz"
    users = ArtifactUsers([listed("m/v1", None, uri), listed("m/v2", "gs://b/m/v2/", uri, region="us-east1")])
    assert users.find(uri) == {"m/v1", "m/v2 (us-east1)"}
    assert users.find(f"{uri}.sig") == set()


def test_keep_used_leaves_what_others_use_and_names_the_rest() -> None:
    plan = RemovalPlan(("gs://b/m/v1/", "gs://b/m/v2/", "gs://b/p"), planned("m/v1/a", "m/v1/sub/b", "m/v2/a", "p"))
    deleted = listed("m/v1", "gs://b/m/v1/", "gs://b/p").version
    others = [listed("m/v1", "gs://b/m/v1/", "gs://b/p"), listed("n/v1", "gs://b/m/v1/sub"), listed("o/v3", "gs://b/p")]
    kept = keep_used(ArtifactPlan(plan, ()), [deleted], others)
    assert [each.name for each in kept.removal.objects] == ["m/v1/a", "m/v2/a"]
    assert kept.removal.uris == ("gs://b/m/v1/a", "gs://b/m/v2/")  # `%aip_remove` with these deletes no other object
    assert kept.used == (("gs://b/m/v1/", ("n/v1",)), ("gs://b/p", ("o/v3",)))
    again = keep_used(kept, [deleted], others)
    assert again.removal == kept.removal


def test_keep_used_tells_versions_of_two_regions_apart() -> None:
    plan = ArtifactPlan(RemovalPlan(("gs://b/m/v1/",), planned("m/v1/a")), ())
    here = listed("m/v1", "gs://b/m/v1/")
    there = listed("m/v1", "gs://b/m/v1/", region="us-east1")
    assert keep_used(plan, [here.version], [here]).removal.objects == planned("m/v1/a")
    assert keep_used(plan, [here.version], [here, there]).removal.objects == ()

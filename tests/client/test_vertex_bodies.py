"""Each field of a cell reaches Vertex AI, or is refused by a check: none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from aip_magics.client.vertex import bodies, views
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.version import VertexVersion
from aip_magics.spec import Model, Version, field_types

HERE = Place("my-project", "us-central1")
IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest"
PLAIN = VertexVersion(name="v1", deploymentUri="gs://b/m/v1/", imageUri=IMAGE)
OURS = PLAIN.replace(imageUri="us-central1-docker.pkg.dev/my-project/aip-magics/")
# The fields that Vertex AI has, each with another value than the default.
FIELDS: dict[str, Any] = {
    "name": "v2",
    "description": "first",
    "deploymentUri": "gs://b/other/",
    "machineType": "n1-standard-8",
    "acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "2"},
    "autoScaling": {"minNodes": 2, "maxNodes": 4, "metrics": [{"name": "GPU_DUTY_CYCLE", "target": 75}]},
    "manualScaling": {"nodes": 3},
    "container": {
        "image": "us-central1-docker.pkg.dev/p/r/i:1",
        "command": ["serve"],
        "args": ["--all"],
        "ports": [{"containerPort": 7000}],
        "env": [{"name": "A", "value": "b"}],
    },
    "routes": {"predict": "/p", "health": "/h"},
    "serviceAccount": "a@my-project.iam.gserviceaccount.com",
    "labels": {"team": "a"},
}
# Those that have another place, or none.
OF_OUR_IMAGE = {"framework": "XGBOOST", "predictionClass": "m.C", "packageUris": ["gs://b/p.tar.gz"]}
OF_THE_ENDPOINT = {"requestLoggingConfig"}  # see `bodies.request_logging`
REFUSED_OR_WITHOUT_EFFECT = {"explanationConfig", "runtimeVersion", "pythonVersion"}  # checks V39 and V40
OF_THE_SERVICE = Version.OUTPUT_ONLY | {"etag"}


def sent(version: Version, model: Model | None = None) -> list[dict[str, Any]]:
    """What a deployment sends of a version and its model."""
    model = model or Model(name="iris")
    name = HERE.version("iris", version.id)
    return [
        bodies.endpoint(model),
        bodies.uploaded_model(model, version, is_first=True, is_default=True),
        bodies.deployed_model(model, version, name),
    ]


def changed(version: VertexVersion, field: str, value: Any) -> VertexVersion:
    return VertexVersion.from_json({**version.to_json(), field: value})


def test_bodies_are_tested_for_every_field() -> None:
    known = {*FIELDS, *OF_OUR_IMAGE, *OF_THE_ENDPOINT, *REFUSED_OR_WITHOUT_EFFECT, *OF_THE_SERVICE}
    assert known == set(field_types(Version))


@pytest.mark.parametrize("field", FIELDS)
def test_bodies_have_each_field_of_a_version(field: str) -> None:
    assert sent(changed(PLAIN, field, FIELDS[field])) != sent(PLAIN)


@pytest.mark.parametrize("field", OF_OUR_IMAGE)
def test_bodies_name_an_image_of_ours_by_what_is_in_it(field: str) -> None:
    other = changed(OURS, field, OF_OUR_IMAGE[field])
    assert bodies.own_image(other, "iris")[field] == OF_OUR_IMAGE[field]
    assert bodies.image_uri(other, "iris") != bodies.image_uri(OURS, "iris")
    assert bodies.image_uri(OURS, "iris").startswith("us-central1-docker.pkg.dev/my-project/aip-magics/iris:")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"description": "irises"}, (0, "description", "irises")),
        ({"description": "irises"}, (1, "description", "irises")),
        ({"labels": {"a": "b"}}, (0, "labels", {"a": "b"})),
        ({"labels": {"a": "b"}}, (1, "labels", {"a": "b"})),
        ({"onlinePredictionLogging": True}, (2, "enableAccessLogging", True)),
        ({"onlinePredictionConsoleLogging": False}, (2, "disableContainerLogging", True)),
        ({"onlinePredictionConsoleLogging": True}, (2, "disableContainerLogging", False)),
    ],
)
def test_bodies_have_the_fields_of_a_model(fields: dict[str, Any], found: tuple[int, str, Any]) -> None:
    index, name, value = found
    assert sent(PLAIN, Model.from_json({"name": "iris", **fields}))[index][name] == value


def test_bodies_keep_one_replica_and_raise_the_maximum_to_the_minimum() -> None:
    assert bodies.replicas(PLAIN) == {"minReplicaCount": 1, "maxReplicaCount": 1}
    scaled = changed(PLAIN, "autoScaling", {"minNodes": 3})
    assert bodies.replicas(scaled) == {"minReplicaCount": 3, "maxReplicaCount": 3}


@pytest.mark.parametrize("field", [None, *(field for field in FIELDS if field not in ("name", "manualScaling"))])
def test_views_read_what_was_sent(field: str | None) -> None:
    version = PLAIN if field is None else changed(PLAIN, field, FIELDS[field])
    _endpoint, uploaded, deployed = sent(version)
    model = {**uploaded, "versionId": "1"}
    endpoint = {"deployedModels": [{**deployed, "id": "7", "modelVersionId": "1"}], "trafficSplit": {"7": 100}}
    read = views.version(HERE, model, "iris", endpoint)
    assert bodies.compared_fields(read, "iris") == bodies.compared_fields(version, "iris")
    assert (read.id, read.description, read.labels) == (version.id, version.description, version.labels)
    assert (read.state, read.trafficPercentage, read.isDefault) == ("READY", 100, True)

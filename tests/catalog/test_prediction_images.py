import datetime
import importlib.util

import pytest

from aip_magics import catalog

TODAY = datetime.date(2026, 11, 29)


def test_prediction_image_of_a_uri():
    image = catalog.prediction_image("europe-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest")
    assert image is not None
    assert (image.name, image.framework, image.version, image.python) == (
        "sklearn-cpu.1-6",
        "SCIKIT_LEARN",
        "1.6",
        "3.10",
    )
    assert image.available_until == datetime.date(2027, 10, 14)
    assert image.is_available(TODAY)
    assert not image.is_available(datetime.date(2027, 10, 15))


@pytest.mark.parametrize(
    ("uri", "prebuilt"),
    [
        ("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-7:latest", True),
        ("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6", True),
        ("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:v1", True),
        ("us-docker.pkg.dev/vertex-ai/prediction/x/sklearn-cpu.1-6:latest", True),
        ("us-central1-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest", False),
        ("us-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest", False),
        ("sklearn-cpu.1-6:latest", False),
        ("", False),
    ],
)
def test_prediction_image_of_another_uri_is_none(uri, prebuilt):
    assert catalog.prediction_image(uri) is None
    assert catalog.is_prebuilt(uri) is prebuilt


@pytest.mark.parametrize(
    "directory", ["gcr.io/cloud-aiplatform/prediction", "us-docker.pkg.dev/cloud-aiplatform/prediction"]
)
def test_prediction_image_of_the_former_path_is_not_available(directory):
    image = catalog.prediction_image(f"{directory}/sklearn-cpu.1-6:latest")
    assert image is not None
    assert image.moved
    assert not image.is_available(TODAY)
    assert image.uri("us-west1") == "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-central1", "us"),
        ("southamerica-east1", "us"),
        ("europe-west12", "europe"),
        ("me-west1", "europe"),
        ("asia-south1", "asia"),
        ("australia-southeast2", "asia"),
    ],
)
def test_nearest_host_of_a_region(region, host):
    assert catalog.nearest_host(region) == f"{host}-docker.pkg.dev"


def test_nearest_host_knows_every_region():
    hosts = {catalog.nearest_host(region).partition("-")[0] for region in catalog.vertex_regions()}
    assert hosts == {"us", "europe", "asia"}


def test_prediction_images_are_those_of_the_sdk():
    # Read without importing the SDK, which takes seconds.
    spec = importlib.util.find_spec("google.cloud.aiplatform")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the SDK google-cloud-aiplatform is not installed")
    path = f"{spec.submodule_search_locations[0]}/constants/prediction.py"
    module_spec = importlib.util.spec_from_file_location("sdk_prediction", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    unknown = [uri for uri in module.SERVING_CONTAINER_URIS if catalog.prediction_image(uri) is None]
    assert unknown == []
    listed = {uri.rpartition("/")[2].removesuffix(":latest") for uri in module.SERVING_CONTAINER_URIS}
    missing = {image.name for image in catalog.prediction_images()} - listed
    assert {name.partition(".")[0] for name in missing} <= {"pytorch-tpu"}  # the SDK has no images for TPUs


def test_prediction_images_left_after_january_2027():
    # The reason for our container: from 2027-01-15 one image is left, until October.
    day = datetime.date(2027, 1, 15)
    assert [image.name for image in catalog.prediction_images() if image.is_available(day)] == ["sklearn-cpu.1-6"]


def test_prediction_images_have_unique_names_and_ordered_dates():
    names = [image.name for image in catalog.prediction_images()]
    assert len(names) == len(set(names))
    assert all(image.patched_until <= image.available_until for image in catalog.prediction_images())


def test_cpu_only_frameworks():
    frameworks = ("SCIKIT_LEARN", "XGBOOST", "TENSORFLOW", "PYTORCH", "OTHER")
    assert [name for name in frameworks if catalog.cpu_only(name)] == ["SCIKIT_LEARN", "XGBOOST"]

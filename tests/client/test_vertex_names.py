"""Names at Vertex AI: what a user may type for a model, a version or an operation, and what becomes of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.client.vertex.ids import endpoint_id, sanitize_model_id
from aip_magics.client.vertex.operations import explained
from aip_magics.client.vertex.place import Place
from aip_magics.client.vertex.predict import model_error
from aip_magics.errors import OperationFailed, OptionError
from aip_magics.spec import Operation

HERE = Place("my-project", "us-central1")
PARENT = "projects/my-project/locations/us-central1"


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("iris", "v1_2"),
        ("projects/123/locations/us-central1/models/iris", "v1-2"),
        ("", f"{PARENT}/models/iris/versions/v1-2"),
        ("", "projects/123/locations/us-central1/models/iris@v1-2"),
    ],
)
def test_place_takes_all_forms_of_the_name_of_a_version(model: str, version: str) -> None:
    assert HERE.version(model, version) == f"{PARENT}/models/iris@v1-2"
    assert HERE.shown_version(model, version) == f"{PARENT}/models/iris/versions/v1-2"


@pytest.mark.parametrize("owner", ["", "/endpoints/iris", "/models/iris"])
def test_place_keeps_the_owner_of_an_operation(owner: str) -> None:
    name = f"projects/123/locations/us-central1{owner}/operations/45"
    assert HERE.operation(name) == f"{PARENT}{owner}/operations/45"
    assert HERE.operation("45") == f"{PARENT}/operations/45"


@pytest.mark.parametrize("name", ["a/b", "a:predict", "a?b", "a@b", "", "../x", "a b"])
def test_place_refuses_names_that_would_address_something_else(name: str) -> None:
    for build in (HERE.model, HERE.endpoint, lambda text: HERE.version("iris", text), HERE.operation):
        with pytest.raises(OptionError):
            build(name)


@given(st.text(max_size=80).map(sanitize_model_id))
def test_endpoint_id_is_valid_for_each_model(model: str) -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", endpoint_id(model))


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("Model server exited unexpectedly. Model server logs can be found at …", "%aip_check"),
        ("Model server never became ready. Please validate …", "health route"),
        ("Model directory gs://b/m is expected to contain exactly one of: [model.pkl, model.joblib].", "model.joblib"),
        ("It must be in the same regional location as the service location us-central1.", "--staging-bucket"),
        ("service-1@gcp-sa-aiplatform.iam… does not have storage.objects.get access", "roles/storage.objectViewer"),
        ("The following quotas are exceeded: CustomModelServingCPUsPerProjectPerRegion", "%aip_undeploy"),
        ("Internal error encountered.", "run the command again"),
    ],
)
def test_operation_that_failed_without_a_log_says_what_to_do(message: str, fix: str) -> None:
    assert fix in explained(OperationFailed(message, operation=Operation())).fix


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ('"Prediction failed: x"\n', "Prediction failed: x"),
        ('{"error": "Prediction failed: x"}', "Prediction failed: x"),
        (
            '{"detail": "The following exception has occurred: ValueError."}',
            "The following exception has occurred: ValueError.",
        ),
        ("Endpoint doesn't have traffic_split.", None),
    ],
)
def test_model_error_is_told_from_those_of_the_service(message: str, text: str | None) -> None:
    assert model_error(message) == text

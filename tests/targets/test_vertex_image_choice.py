import datetime
import pickle

import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from aip_magics import artifacts, catalog
from aip_magics.spec import Version
from aip_magics.targets.vertex.image_choice import choose_image, is_own_image

TODAY = datetime.date(2026, 11, 29)


@pytest.fixture
def model_dir(tmp_path):
    """A scikit-learn model as release 1.5.2 would have marked it."""
    data = pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), protocol=3)
    old, new = (b"X" + len(text).to_bytes(4, "little") + text.encode() for text in (sklearn.__version__, "1.5.2"))
    (tmp_path / "model.pkl").write_bytes(data.replace(old, new))
    return artifacts.inspect_model_dir(tmp_path)


def choose(model_dir, framework="SCIKIT_LEARN", **fields):
    return choose_image(framework, model_dir, Version.from_json(fields), "europe-west4", TODAY)


def test_image_choice_follows_the_libraries_of_the_model(model_dir):
    choice = choose(model_dir)
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.uri == "europe-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-5:latest"
    assert choice.reason == "the model has scikit-learn 1.5.2, image sklearn-cpu.1-5 has 1.5"
    assert choice.warning


def test_image_choice_without_local_files_is_the_newest():
    choice = choose(None, "TENSORFLOW")
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.image.name == "tf2-cpu.2-15"


def test_image_choice_with_an_accelerator():
    choice = choose(None, "TENSORFLOW", acceleratorConfig={"type": "NVIDIA_TESLA_T4", "count": 1})
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.image.name == "tf2-gpu.2-15"


@pytest.mark.parametrize("fields", [{"packageUris": ["gs://b/p.tar.gz"]}, {"predictionClass": "m.C"}])
def test_image_choice_for_custom_code_is_none(model_dir, fields):
    choice = choose(model_dir, **fields)
    assert choice == catalog.NoImage("the prebuilt images install no packages and run no prediction class")


def test_image_choice_without_a_framework_is_none():
    assert isinstance(choose(None, None), catalog.NoImage)


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({}, False),
        ({"container": {"image": "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-5:latest"}}, False),
        ({"container": {"image": "us-central1-docker.pkg.dev/p/r/i"}}, True),
        ({"container": {}}, True),
    ],
)
def test_is_own_image(fields, own):
    assert is_own_image(Version.from_json(fields)) is own

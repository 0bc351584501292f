import datetime

import pytest

from aip_magics import catalog

TODAY = datetime.date(2026, 11, 29)


@pytest.mark.parametrize(
    ("framework", "libraries", "name"),
    [
        ("SCIKIT_LEARN", {"scikit-learn": "1.6.1"}, "sklearn-cpu.1-6"),
        ("SCIKIT_LEARN", {"scikit-learn": "1.5.2"}, "sklearn-cpu.1-5"),
        ("SCIKIT_LEARN", {"scikit-learn": "1.3.2"}, "sklearn-cpu.1-4"),  # 1-3 has ended: the next one above
        ("SCIKIT_LEARN", {}, "sklearn-cpu.1-6"),
        ("SCIKIT_LEARN", {"scikit-learn": ""}, "sklearn-cpu.1-6"),
        ("XGBOOST", {"xgboost": "2.1.3"}, "xgboost-cpu.2-1"),
        ("XGBOOST", {"xgboost": "1.6.2"}, "xgboost-cpu.2-0"),
        ("TENSORFLOW", {}, "tf2-cpu.2-15"),
        ("TENSORFLOW", {"tensorflow": "unknown"}, "tf2-cpu.2-15"),
        ("TENSORFLOW", {"tensorflow": "2.21.0"}, "tf2-cpu.2-15"),  # the operations decide, not the release
    ],
)
def test_match_image_by_library(framework, libraries, name):
    choice = catalog.match_image(framework, libraries, "asia-east1", TODAY)
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.image.name == name
    assert choice.uri == f"asia-docker.pkg.dev/vertex-ai/prediction/{name}:latest"
    assert choice.reason
    assert catalog.prediction_image(choice.uri) == choice.image


@pytest.mark.parametrize(
    ("framework", "libraries", "reason"),
    [
        (
            "SCIKIT_LEARN",
            {"scikit-learn": "1.7.2"},
            "scikit-learn 1.7.2 is newer than in any prebuilt image; the newest is sklearn-cpu.1-6",
        ),
        (
            "XGBOOST",
            {"xgboost": "3.2.0"},
            "xgboost 3.2.0 is newer than in any prebuilt image; the newest is xgboost-cpu.2-1",
        ),
        (
            "SCIKIT_LEARN",
            {"scikit-learn": "1.6.1", "xgboost": "2.1.3"},
            "the model also needs xgboost, which the prebuilt images for scikit-learn are not known to have",
        ),
        ("FRAMEWORK_UNSPECIFIED", {}, "no prebuilt image serves framework 'FRAMEWORK_UNSPECIFIED'"),
    ],
)
def test_match_image_says_why_none_fits(framework, libraries, reason):
    assert catalog.match_image(framework, libraries, "us-central1", TODAY) == catalog.NoImage(reason)


def test_match_image_after_the_last_one_has_ended():
    day = datetime.date(2027, 1, 15)
    choice = catalog.match_image("TENSORFLOW", {}, "us-central1", day)
    reason = "no prebuilt image for tensorflow is left: the last one, tf2-cpu.2-15, ended on 2027-01-14"
    assert choice == catalog.NoImage(reason)
    old = catalog.match_image("SCIKIT_LEARN", {"scikit-learn": "1.5.2"}, "us-central1", day)
    assert isinstance(old, catalog.ImageMatch)
    assert old.image.name == "sklearn-cpu.1-6"


def test_match_image_skips_an_image_that_cannot_read_a_class_of_the_model():
    names = ["sklearn.linear_model._stochastic_gradient.SGDClassifier", "sklearn.linear_model._sgd_fast.Log"]
    plain = catalog.match_image("SCIKIT_LEARN", {"scikit-learn": "1.4.2"}, "us-central1", TODAY, names=names)
    assert isinstance(plain, catalog.ImageMatch)
    assert plain.image.name == "sklearn-cpu.1-4"
    later = catalog.match_image(
        "SCIKIT_LEARN", {"scikit-learn": "1.4.2"}, "us-central1", datetime.date(2027, 1, 15), names=names
    )
    assert isinstance(later, catalog.NoImage)
    assert later.reason == (
        "the model was saved with scikit-learn 1.4.2; sklearn-cpu.1-6 cannot use its sklearn.linear_model._sgd_fast.Log"
    )


@pytest.mark.parametrize(
    ("day", "warning"),
    [
        (datetime.date(2026, 10, 15), ""),
        (datetime.date(2026, 10, 16), "image sklearn-cpu.1-5 can be deployed until 2027-01-14, in 90 days"),
        (datetime.date(2027, 1, 14), "image sklearn-cpu.1-5 can be deployed until 2027-01-14, in 0 days"),
    ],
)
def test_match_image_warns_within_ninety_days_of_the_end(day, warning):
    choice = catalog.match_image("SCIKIT_LEARN", {"scikit-learn": "1.5.2"}, "us-central1", day)
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.warning == warning


def test_match_image_for_an_accelerator():
    choice = catalog.match_image("TENSORFLOW", {}, "us-central1", TODAY, accelerator="gpu")
    assert isinstance(choice, catalog.ImageMatch)
    assert choice.image.name == "tf2-gpu.2-15"
    none = catalog.match_image("SCIKIT_LEARN", {}, "us-central1", TODAY, accelerator="gpu")
    assert none == catalog.NoImage("no prebuilt image for scikit-learn supports gpu")

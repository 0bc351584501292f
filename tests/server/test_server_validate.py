import re

import pytest

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server import validate
from aip_magics.server.names import ModelKey
from aip_magics.spec import Model, Version

GLOBAL = ModelKey("global", "p", "m")
REGIONAL = ModelKey("us-central1", "p", "m")
ROUTINE = {"predictionClass": "m.C", "packageUris": ["gs://b/p.tar.gz"]}
GOOD = {"deploymentUri": "gs://b/dir"}


def check(key, **fields):
    return validate.version(Version.from_json({**GOOD, **fields}), key)


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        (GLOBAL, {}),
        (GLOBAL, {"framework": "SCIKIT_LEARN", "runtimeVersion": "2.11", "pythonVersion": "3.7"}),
        (GLOBAL, {"runtimeVersion": "1.4", "pythonVersion": "3.5", "framework": "XGBOOST"}),
        (GLOBAL, {"machineType": "mls1-c4-m2"}),
        (GLOBAL, {"autoScaling": {"minNodes": 0}}),
        (GLOBAL, {"manualScaling": {"nodes": 2}}),
        (GLOBAL, {"framework": "TENSORFLOW", "runtimeVersion": "1.2"}),
        (GLOBAL, ROUTINE),
        (GLOBAL, {"packageUris": ["gs://b/a/p-1.0-py3-none-any.whl", "gs://b/q.zip"], "framework": "SCIKIT_LEARN"}),
        (REGIONAL, {"packageUris": ["gs://b/p.tar.gz"]}),
        (REGIONAL, {"machineType": "n1-standard-4"}),
        (REGIONAL, {"autoScaling": {"minNodes": 1, "maxNodes": 3}}),
    ],
)
def test_versions_that_are_accepted(key, fields):
    accepted = check(key, **fields).to_json()
    assert accepted.items() >= fields.items()


@pytest.mark.parametrize(
    ("key", "fields", "text"),
    [
        (GLOBAL, {"deploymentUri": ""}, "version.deployment_uri"),
        (GLOBAL, {"deploymentUri": "/home/me/export"}, "not the URI of a Cloud Storage directory"),
        (GLOBAL, {"deploymentUri": "gs:///dir"}, "not the URI of a Cloud Storage directory"),
        (GLOBAL, {"deploymentUri": "gs://b/dir/model.joblib"}, "names a file"),
        (GLOBAL, {"runtimeVersion": "2.12"}, "specified runtime version '2.12' with the Python version ''"),
        (GLOBAL, {"runtimeVersion": "1.12.1"}, "'1.12.1'"),
        (GLOBAL, {"runtimeVersion": "2.11", "pythonVersion": "3.9"}, "Python versions of runtime 2.11: 3.7"),
        (GLOBAL, {"runtimeVersion": "1.2", "framework": "SCIKIT_LEARN"}, "needs runtime version 1.4"),
        (GLOBAL, {"machineType": "n1-standard-4"}, "'n1-standard-4' is only available on the regional endpoint."),
        (REGIONAL, {"machineType": "mls1-c1-m2"}, "'mls1-c1-m2' is only available on the global endpoint."),
        (GLOBAL, {**ROUTINE, "runtimeVersion": "1.2"}, "Custom code needs runtime version 1.4"),
        (GLOBAL, {**ROUTINE, "predictionClass": "Mine"}, "'Mine' is not the fully qualified name"),
        (GLOBAL, {"packageUris": ["gs://b"]}, "version.package_uris Error: 'gs://b' is not the URI of a package"),
        (GLOBAL, {"packageUris": ["/home/p.tar.gz"]}, "'/home/p.tar.gz' is not the URI of a package"),
        (GLOBAL, {"packageUris": ["gs://b/p.egg"]}, "'gs://b/p.egg' is not the URI of a package"),
        (GLOBAL, {"machineType": "e2-micro"}, "Unsupported machine type 'e2-micro'"),
        (GLOBAL, {"autoScaling": {}, "manualScaling": {"nodes": 1}}, "Only one of autoScaling and manualScaling"),
        (GLOBAL, {"manualScaling": {"nodes": 0}}, "At least one node"),
        (REGIONAL, {"autoScaling": {"minNodes": 0}}, "At least 1 nodes"),
        (GLOBAL, {"autoScaling": {"minNodes": -1}}, "At least 0 nodes"),
        (GLOBAL, {"autoScaling": {"minNodes": 3, "maxNodes": 2}}, "not below minNodes"),
        (GLOBAL, {"serviceAccount": "a@b.iam.gserviceaccount.com"}, "version.service_account"),
        (GLOBAL, {"routes": {"predict": "/p"}}, "version.routes"),
    ],
)
def test_versions_that_are_refused(key, fields, text):
    with pytest.raises(InvalidArgument, match=re.escape(text)):
        check(key, **fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"container": {"image": "x"}}, "version.container"),
        ({"predictionClass": "m.C", "framework": "XGBOOST"}, 'Exactly one of "prediction_class" and "framework"'),
        ({"acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "1"}}, "version.accelerator_config"),
        ({"explanationConfig": {"xraiAttribution": {"numIntegralSteps": 50}}}, "version.explanation_config"),
    ],
)
def test_what_is_not_served_is_refused_clearly(fields, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        check(GLOBAL, **fields)


@pytest.mark.parametrize(
    ("key", "fields", "text"),
    [
        (GLOBAL, {"predictionClass": "m.C"}, "The package that holds m.C should be provided in package_uris."),
        (REGIONAL, ROUTINE, "needs a legacy (MLS1) machine type, on the global endpoint."),
        (REGIONAL, {**ROUTINE, "machineType": "n1-standard-4"}, "Field: prediction_class Error: A custom prediction"),
    ],
)
def test_what_a_routine_needs(key, fields, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        check(key, **fields)


def test_defaults_follow_the_endpoint_and_output_only_fields_are_dropped():
    assert check(GLOBAL).machineType == "mls1-c1-m2"
    assert check(REGIONAL).machineType == "n1-standard-2"
    given = check(GLOBAL, state="READY", isDefault=True, createTime="x", etag="e", requestLoggingConfig={})
    assert given == check(GLOBAL)


@pytest.mark.parametrize(
    ("framework", "names", "found"),
    [
        (None, ["model.bst"], "XGBOOST"),
        (None, ["saved_model.pb", "variables/variables.index"], "TENSORFLOW"),
        (None, ["saved_model.pbtxt"], "TENSORFLOW"),
        ("TENSORFLOW", ["saved_model.pb", "model.pkl"], "TENSORFLOW"),
        (None, ["model.joblib", "README", "sub/model.pkl"], None),
        ("SCIKIT_LEARN", ["model.pkl"], "SCIKIT_LEARN"),
        ("SCIKIT_LEARN", ["model.pkl", "model.bst"], "SCIKIT_LEARN"),
        ("XGBOOST", ["model.joblib"], "XGBOOST"),
    ],
)
def test_the_framework_of_a_directory(framework, names, found):
    version = check(GLOBAL).replace(framework=framework)
    assert validate.framework_of(version, names, [1] * len(names)) == found


@pytest.mark.parametrize(
    ("framework", "names", "text"),
    [
        ("SCIKIT_LEARN", ["model.joblib", "model.pkl"], "exactly one of: [model.joblib, model.pkl]."),
        ("SCIKIT_LEARN", ["dir/model.pkl"], "Deployment directory gs://b/dir is expected to contain exactly one of"),
        ("XGBOOST", ["model.pkl", "model.bst"], "exactly one of: [model.bst, model.joblib, model.pkl]."),
        (None, ["model.PKL"], "exactly one of: [saved_model.pb, saved_model.pbtxt, model.bst"),
        ("TENSORFLOW", ["saved_model.pb", "saved_model.pbtxt"], "exactly one of: [saved_model.pb, saved_model.pbtxt]."),
        ("TENSORFLOW", ["1587877383942/saved_model.pb"], "exactly one of: [saved_model.pb, saved_model.pbtxt]."),
        (None, ["saved_model.pb", "model.pkl"], "is expected to contain exactly one of"),
    ],
)
def test_directories_that_are_refused(framework, names, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        validate.framework_of(check(GLOBAL).replace(framework=framework), names, [1] * len(names))


def test_a_routine_may_have_any_files():
    assert validate.framework_of(check(GLOBAL, **ROUTINE), ["weights.h5", "model.pkl", "model.bst"], [1] * 3) is None
    with pytest.raises(FailedPrecondition, match="holds 1001 files"):
        validate.framework_of(check(GLOBAL, **ROUTINE), ["x"], [1] * 1001)


def test_limits_of_a_directory():
    with pytest.raises(FailedPrecondition, match=r"holds 1001 files, which exceeds the allowed maximum of 1000\."):
        validate.framework_of(check(GLOBAL), ["model.pkl"], [1] * 1001)
    too_large = [600 * 1024 * 1024]
    text = r"The total size of files in gs://b/dir is 629145600 bytes, which exceeds the allowed maximum of \d+ bytes\."
    with pytest.raises(FailedPrecondition, match=text):
        validate.framework_of(check(GLOBAL), ["model.pkl"], too_large)
    assert validate.framework_of(check(REGIONAL), ["model.bst"], too_large) == "XGBOOST"


@pytest.mark.parametrize(
    ("given", "location", "regions"),
    [
        ({}, "global", ("us-central1",)),
        ({"regions": ["us-east1"]}, "global", ("us-east1",)),
        ({}, "europe-west1", ("europe-west1",)),
        ({"regions": ["europe-west1"]}, "europe-west1", ("europe-west1",)),
    ],
)
def test_regions_of_a_model(given, location, regions):
    assert validate.model(Model.from_json(given), location).regions == regions


@pytest.mark.parametrize(
    ("regions", "location", "text"),
    [
        (["us-central1", "us-east1"], "global", "Exactly one region"),
        (["mars"], "global", "The provided GCE region 'mars' is not available. Options are [asia-northeast1, "),
        (["us-central1"], "us-east1", "Options are [us-east1]."),
    ],
)
def test_regions_that_are_refused(regions, location, text):
    with pytest.raises(InvalidArgument, match=re.escape(text)):
        validate.model(Model(regions=tuple(regions)), location)

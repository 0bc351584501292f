import itertools
import re

import pytest

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.conventions import validation
from aip_magics.server.names import ModelKey
from aip_magics.spec import Model, Version

GLOBAL = ModelKey("global", "p", "m")
REGIONAL = ModelKey("us-central1", "p", "m")
ROUTINE = {"predictionClass": "m.C", "packageUris": ["gs://b/p.tar.gz"]}
GOOD = {"deploymentUri": "gs://b/dir"}
GPU = {"acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "1"}}
IMAGE = {"image": "us-central1-docker.pkg.dev/p/r/image"}
CONTAINER = {"container": IMAGE, "machineType": "n1-standard-2", "deploymentUri": None}


def check(key, **fields):
    return validation.validate_version(Version.from_json({**GOOD, **fields}), key)


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
def test_validation_accepts_versions(key, fields):
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
        (GLOBAL, {"runtimeVersion": "1.2", "framework": "SCIKIT_LEARN"}, "SCIKIT_LEARN requires runtime version 1.4"),
        (GLOBAL, {"machineType": "n1-standard-4"}, "'n1-standard-4' is only available on the regional endpoint."),
        (REGIONAL, {"machineType": "mls1-c1-m2"}, "'mls1-c1-m2' is only available on the global endpoint."),
        (
            GLOBAL,
            {**ROUTINE, "runtimeVersion": "1.2"},
            "version.runtime_version Error: custom code requires runtime version 1.4",
        ),
        (GLOBAL, {**ROUTINE, "predictionClass": "Mine"}, "'Mine' is not the fully qualified name"),
        (GLOBAL, {"packageUris": ["gs://b"]}, "version.package_uris Error: 'gs://b' is not the URI of a package"),
        (GLOBAL, {"packageUris": ["/home/p.tar.gz"]}, "'/home/p.tar.gz' is not the URI of a package"),
        (GLOBAL, {"packageUris": ["gs://b/p.egg"]}, "'gs://b/p.egg' is not the URI of a package"),
        (GLOBAL, {"machineType": "e2-micro"}, "Unsupported machine type 'e2-micro'"),
        (
            GLOBAL,
            {"autoScaling": {}, "manualScaling": {"nodes": 1}},
            "autoScaling and manualScaling are mutually exclusive",
        ),
        (GLOBAL, {"manualScaling": {"nodes": 0}}, "At least one node"),
        (
            REGIONAL,
            {"autoScaling": {"minNodes": 0}},
            "version.auto_scaling.min_nodes Error: N1 machines keep at least one node",
        ),
        (GLOBAL, {"autoScaling": {"minNodes": -1}}, "must not be negative"),
        (GLOBAL, {"autoScaling": {"minNodes": 3, "maxNodes": 2}}, "not below minNodes"),
        (GLOBAL, {"serviceAccount": "a@b.iam.gserviceaccount.com"}, "version.service_account"),
        (GLOBAL, {"routes": {"predict": "/p"}}, "version.routes"),
        (GLOBAL, {"pythonVersion": "3.9"}, "version.python_version Error: Python 3.9 is not available in any runtime"),
        (GLOBAL, {"manualScaling": {"nodes": 2**31}}, "At least one node"),
        (GLOBAL, {"autoScaling": {"maxNodes": 0}}, "at least 1"),
        (GLOBAL, {"autoScaling": {"metrics": [{"name": "CPU_USAGE"}]}}, "Metrics need a Compute Engine (N1)"),
        (REGIONAL, {"autoScaling": {"metrics": [{"target": 60}]}}, "metrics[0].name Error: One of CPU_USAGE"),
        (REGIONAL, {"autoScaling": {"metrics": [{"name": "GPU_DUTY_CYCLE"}]}}, "needs an accelerator"),
        (REGIONAL, {"autoScaling": {"metrics": [{"name": "CPU_USAGE", "target": 101}]}}, "percentage from 1 to 100"),
        (
            GLOBAL,
            {"labels": {"Team": "x"}},
            "Field: version.labels.Team Error: label key 'Team' has characters other than",
        ),
        (GLOBAL, {"labels": {"team": "x" * 64}}, "label value has 64 characters; the maximum is 63"),
        (GLOBAL, {"labels": {"1": "x"}}, "does not start with a letter"),
        (GLOBAL, {"labels": {f"k{n}": "" for n in range(65)}}, "found 65 labels; the maximum is 64"),
        (GLOBAL, GPU, "Field: version.accelerator_config Error: MLS1 machines do not support accelerators"),
        (REGIONAL, {**GPU, "framework": "XGBOOST"}, "XGBOOST models are served without accelerators"),
        (REGIONAL, {"acceleratorConfig": {"type": "T4"}}, "version.accelerator_config.type"),
        (REGIONAL, {"acceleratorConfig": {"count": 0}}, "version.accelerator_config.count"),
        (GLOBAL, {"container": IMAGE}, "Custom containers are available on regional endpoints only."),
        (REGIONAL, {"container": IMAGE}, "version.machine_type Error: A custom container needs a Compute Engine"),
        (
            REGIONAL,
            {**CONTAINER, "framework": "XGBOOST"},
            "version.framework Error: framework cannot be used together with",
        ),
        (
            REGIONAL,
            {**CONTAINER, "runtimeVersion": "2.11"},
            "version.runtime_version Error: runtimeVersion cannot be used",
        ),
        (
            REGIONAL,
            {**CONTAINER, "packageUris": ["gs://b/p.tar.gz"]},
            "version.package_uris Error: packageUris cannot be used",
        ),
        (REGIONAL, {**CONTAINER, "container": {"image": "gcr.io/p/x"}}, "in Artifact Registry in the region"),
        (REGIONAL, {**CONTAINER, "container": {**IMAGE, "ports": [{"containerPort": 0}]}}, "from 1 to 65535"),
        (REGIONAL, {**CONTAINER, "container": {**IMAGE, "env": [{"name": "AIP_X"}]}}, "reserved prefix AIP_"),
    ],
)
def test_validation_refuses_versions(key, fields, text):
    with pytest.raises(InvalidArgument, match=re.escape(text)):
        check(key, **fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (CONTAINER, "version.container Error: The embedded server does not support custom containers"),
        ({**CONTAINER, "routes": {"predict": "/p"}}, "version.container"),
        ({"predictionClass": "m.C", "framework": "XGBOOST"}, 'Exactly one of "prediction_class" and "framework"'),
        (
            {**GPU, "framework": "TENSORFLOW"},
            "version.accelerator_config Error: The embedded server does not support accel",
        ),
        ({"explanationConfig": {"xraiAttribution": {"numIntegralSteps": 50}}}, "version.explanation_config"),
    ],
)
def test_validation_refuses_clearly_what_is_not_served(fields, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        check(REGIONAL, **fields)


FRAMEWORKS = (None, "TENSORFLOW", "SCIKIT_LEARN", "XGBOOST")
RUNTIMES = (
    (None, None),
    ("2.11", "3.7"),
    ("1.15", "2.7"),
    ("1.14", "3.5"),
    ("1.2", "2.7"),
    ("2.11", "3.5"),
    ("2.10", "3.7"),
)
MACHINES = (None, "mls1-c1-m2", "n1-standard-4")
CODE = ({}, {"packageUris": ["gs://b/p.tar.gz"]}, ROUTINE)
SCALINGS = ({}, {"manualScaling": {"nodes": 1}}, {"autoScaling": {"minNodes": 0}}, {"autoScaling": {"minNodes": 1}})


def rightly_refused(key, framework, runtime, machine, code, scaling):
    """The rules once more, in the form of the service's documentation: true for what it would not take."""
    version, _ = runtime
    routine, packages = "predictionClass" in code, "packageUris" in code
    n1 = (machine or ("n1" if key.regional else "mls1")).startswith("n1")
    return (
        runtime in (("2.11", "3.5"), ("2.10", "3.7"))
        or (version == "1.2" and (framework in ("SCIKIT_LEARN", "XGBOOST") or packages))
        or n1 != key.regional
        or (routine and (framework is not None or n1))
        or (scaling.get("autoScaling", {}).get("minNodes") == 0 and n1)
    )


def refusal(key, fields):
    try:
        check(key, **fields)
    except (InvalidArgument, FailedPrecondition) as error:
        return error
    return None


@pytest.mark.parametrize("key", [GLOBAL, REGIONAL])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_validation_all_combinations(key, framework):
    accepted = 0
    for runtime, machine, code, scaling in itertools.product(RUNTIMES, MACHINES, CODE, SCALINGS):
        version, python = runtime
        named = {"framework": framework, "runtimeVersion": version, "pythonVersion": python, "machineType": machine}
        refused = rightly_refused(key, framework, runtime, machine, code, scaling)
        error = refusal(key, {**named, **code, **scaling})
        assert (error is not None) == refused, (error, named, code, scaling)
        accepted += error is None
    assert accepted


@pytest.mark.parametrize(
    ("key", "fields", "text"),
    [
        (GLOBAL, {"predictionClass": "m.C"}, "The package that holds m.C should be provided in package_uris."),
        (REGIONAL, ROUTINE, "needs a legacy (MLS1) machine type, on the global endpoint."),
        (REGIONAL, {**ROUTINE, "machineType": "n1-standard-4"}, "Field: prediction_class Error: A custom prediction"),
    ],
)
def test_validation_what_a_routine_needs(key, fields, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        check(key, **fields)


def test_validation_defaults_follow_the_endpoint():
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
def test_validation_finds_the_framework_of_a_directory(framework, names, found):
    version = check(GLOBAL).replace(framework=framework)
    assert validation.detect_framework(version, names, [1] * len(names)) == found


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
def test_validation_refuses_directories(framework, names, text):
    with pytest.raises(FailedPrecondition, match=re.escape(text)):
        validation.detect_framework(check(GLOBAL).replace(framework=framework), names, [1] * len(names))


def test_validation_lets_a_routine_have_any_files():
    assert (
        validation.detect_framework(check(GLOBAL, **ROUTINE), ["weights.h5", "model.pkl", "model.bst"], [1] * 3) is None
    )
    with pytest.raises(FailedPrecondition, match="holds 1001 files"):
        validation.detect_framework(check(GLOBAL, **ROUTINE), ["x"], [1] * 1001, "mls1-c1-m2")


def test_validation_limits_of_a_directory():
    with pytest.raises(FailedPrecondition, match=r"holds 1001 files, which exceeds the allowed maximum of 1000\."):
        validation.detect_framework(check(GLOBAL), ["model.pkl"], [1] * 1001, "mls1-c1-m2")
    too_large = [600 * 1024 * 1024]
    text = r"The total size of files in gs://b/dir is 629145600 bytes, which exceeds the allowed maximum of \d+ bytes\."
    with pytest.raises(FailedPrecondition, match=text):
        validation.detect_framework(check(GLOBAL), ["model.pkl"], too_large, "mls1-c1-m2")
    assert validation.detect_framework(check(REGIONAL), ["model.bst"], too_large, "n1-standard-2") == "XGBOOST"


def test_validation_without_a_requested_machine_type_has_no_limit_of_a_directory():
    for sizes in ([1] * 1001, [600 * 1024 * 1024], [11 * 1024**3]):
        assert validation.detect_framework(check(GLOBAL), ["model.bst"], sizes) == "XGBOOST"


@pytest.mark.parametrize(
    ("given", "location", "regions"),
    [
        ({}, "global", ("us-central1",)),
        ({"regions": ["us-east1"]}, "global", ("us-east1",)),
        ({}, "europe-west1", ("europe-west1",)),
        ({"regions": ["europe-west1"]}, "europe-west1", ("europe-west1",)),
    ],
)
def test_validation_accepts_regions_of_a_model(given, location, regions):
    assert validation.validate_model(Model.from_json(given), location).regions == regions


@pytest.mark.parametrize(
    ("regions", "location", "text"),
    [
        (["us-central1", "us-east1"], "global", "Exactly one region"),
        (["mars"], "global", "The provided GCE region 'mars' is not available. Options are [asia-northeast1, "),
        (["us-central1"], "us-east1", "Options are [us-east1]."),
    ],
)
def test_validation_refuses_regions(regions, location, text):
    with pytest.raises(InvalidArgument, match=re.escape(text)):
        validation.validate_model(Model(regions=tuple(regions)), location)

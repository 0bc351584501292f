"""Cases of all rules but those of the trial and of trust: what triggers each, and its nearest innocent neighbour.

Those of files, names and requests are here, the others in the modules beside this one.
"""

import json
import pickle

import rule_cases_estimators
import rule_cases_fields
import rule_cases_graphs
import rule_cases_models
import rule_cases_packages
import rule_cases_project
import rule_cases_serving

from aip_magics.spec import Version

GLOBAL, REGIONAL = {}, {"region": "us-central1"}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n"
BIG = 1572864


def request(size):
    """A request body of exactly this many bytes."""
    empty = json.dumps({"instances": [""]})
    return json.dumps({"instances": ["x" * (size - len(empty))]}).encode()


def tree(d, *names):
    folder = d.folder()
    (folder / "model.pkl").unlink()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(d.models.sklearn)
    return folder


def with_link(d, to_folder):
    folder = d.folder()
    target = d.root / ("elsewhere" if to_folder else "elsewhere.txt")
    target.mkdir(exist_ok=True) if to_folder else target.write_text("x")
    (folder / "link").symlink_to(target)
    return folder


def with_files(d, count):
    folder = d.folder()
    for number in range(count - 1):
        (folder / f"part{number}").touch()
    return folder


def of_size(d, size):
    folder = d.folder()
    with (folder / "variables").open("wb") as file:
        file.truncate(size - (folder / "model.pkl").stat().st_size)  # sparse: takes no room on the disk
    return folder


def package(d, version=1):
    """The name of `my_code-0.VERSION.tar.gz`, of which only 0.1 is there."""
    (d.root / "my_code-0.1.tar.gz").touch()
    return str(d.root / f"my_code-0.{version}.tar.gz")


def folder_named(d, name):
    (d.root / name).mkdir(exist_ok=True)
    return str(d.root / name)


def two_models(d):
    return d.folder(model_pkl=d.models.sklearn, model_bst=d.models.booster)


MB500, GB10 = 500 * 1024**2, 10 * 1024**3
CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    (
        "M02",
        "error",
        "use iris_model",
        lambda d: d(model={"name": "iris-model"}),
        lambda d: d(model={"name": "iris_2"}),
    ),
    ("M02", "error", "use v1", lambda d: d(name="1"), lambda d: d(name="v1")),
    ("M02", "error", "use m_2024", lambda d: d(model={"name": "2024"}), lambda d: d(model={"name": "a" * 128})),
    (
        "M02",
        "warning",
        "shorten",
        lambda d: d(name="v" * 129),
        lambda d: d(name="projects/p-1/models/iris/versions/v1"),
    ),
    ("F02", "warning", "use team", lambda d: d(labels={"Team": "a"}), lambda d: d(labels={"team": "가-나_1"})),
    ("F02", "warning", "shorten", lambda d: d(labels={"a": "x" * 64}), lambda d: d(labels={"a": "x" * 63})),
    ("F02", "warning", "with a letter", lambda d: d(labels={"1a": "x"}), lambda d: d(labels={"a1": ""})),
    (
        "F02",
        "warning",
        "remove some labels",
        lambda d: d(model={"labels": {f"k{n}": "" for n in range(65)}}),
        lambda d: d(model={"labels": {f"k{n}": "" for n in range(64)}}),
    ),
    (
        "E01",
        "warning",
        "--target local",
        lambda d: d.cloud(endpoint="https://us-central1-ml.googleapis.com"),
        lambda d: d.cloud(endpoint="https://ml.googleapis.com.example.org"),
    ),
    ("E01", "warning", "--target local", lambda d: d.cloud(endpoint="ml.googleapis.com"), lambda d: d()),
    (
        "M03",
        "error",
        "--region us-west1",
        lambda d: d(model={"regions": ["us-west1"]}),
        lambda d: d(model={"regions": ["us-east1"]}),
    ),
    (
        "M03",
        "error",
        "regions: [us-west1]",
        lambda d: d(model={"regions": ["us-east1"]}, region="us-west1"),
        lambda d: d(model={"regions": ["us-west1"]}, region="us-west1"),
    ),
    ("M03", "error", "'us-central1'", lambda d: d(region="us-centrall1"), lambda d: d(region="us-central1")),
    ("M03", "warning", "one of", lambda d: d.cloud(region="here", endpoint="http://mine"), lambda d: d.cloud()),
    (
        "M04",
        "error",
        "regions: [us-east1]",
        lambda d: d(model={"regions": ["us-east1", "us-central1"]}),
        lambda d: d(model={"regions": ["us-east1"]}),
    ),
    ("M04", "error", "us-central1", lambda d: d(model={"regions": []}), lambda d: d()),
    (
        "S02",
        "error",
        "1587877383942",
        lambda d: d(tree(d, "1487877383942/saved_model.pb", "1587877383942/saved_model.pb")),
        lambda d: d(tree(d, "saved_model.pb", "1587877383942/x")),
    ),
    (
        "S02",
        "error",
        "SavedModel",
        lambda d: d(tree(d, "weights.pt"), framework="TENSORFLOW"),
        lambda d: d(tree(d, "saved_model.pb", "model.pkl"), framework="TENSORFLOW"),
    ),
    (
        "S03",
        "error",
        "mv ",
        lambda d: d(d.folder(iris_joblib=d.models.sklearn)),
        lambda d: d(d.folder(iris_joblib=d.models.sklearn, model_joblib=d.models.sklearn)),
    ),
    ("S03", "error", "/export1/sub", lambda d: d(tree(d, "sub/model.pkl")), lambda d: d(tree(d, "sub/x", "model.pkl"))),
    (
        "S03",
        "error",
        "remove model.pkl",
        lambda d: d(tree(d, "model.joblib", "model.pkl"), framework="SCIKIT_LEARN"),
        lambda d: d(two_models(d), framework="SCIKIT_LEARN"),
    ),
    ("A05", "error", "joblib.dump", lambda d: d(d.folder(notes_txt=b"x")), lambda d: d()),
    (
        "A05",
        "error",
        "--framework xgboost",
        lambda d: d(d.folder(model_bst=d.models.booster), framework="SCIKIT_LEARN"),
        lambda d: d(d.folder(model_bst=d.models.booster), framework="XGBOOST"),
    ),
    ("A06", "error", "keep one", lambda d: d(two_models(d)), lambda d: d(two_models(d), framework="SCIKIT_LEARN")),
    ("S04", "advice", "--origin", lambda d: d(d.folder() / "model.pkl"), lambda d: d(d.folder())),
    (
        "S04",
        "error",
        "gs://b/m/",
        lambda d: d(deploymentUri="gs://b/m/model.pkl"),
        lambda d: d(deploymentUri="gs://b/m"),
    ),
    (
        "S04",
        "error",
        "use gs://b/m/v",
        lambda d: d(deploymentUri="gs://b/m//v"),
        lambda d: d(deploymentUri="gs://b/m/v/"),
    ),
    ("S04", "error", "gs://BUCKET", lambda d: d(deploymentUri="/m"), lambda d: d(deploymentUri="gs://b")),
    ("S05", "error", "--region", lambda d: d.cloud(of_size(d, MB500 + 1)), lambda d: d.cloud(of_size(d, MB500))),
    ("S05", "advice", "--region", lambda d: d(of_size(d, MB500 + 1)), lambda d: d(of_size(d, MB500))),
    (
        "S05",
        "error",
        "--region",
        lambda d: d(of_size(d, MB500 + 1), machineType="mls1-c1-m2"),
        lambda d: d(of_size(d, MB500), machineType="mls1-c1-m2"),
    ),
    (
        "S05",
        "error",
        "variables",
        lambda d: d.cloud(of_size(d, GB10 + 1), **REGIONAL),
        lambda d: d.cloud(of_size(d, MB500 + 1), **REGIONAL),
    ),
    ("S06", "error", "only the export", lambda d: d.cloud(with_files(d, 1001)), lambda d: d.cloud(with_files(d, 1000))),
    ("S06", "advice", "only the export", lambda d: d(with_files(d, 1001)), lambda d: d(with_files(d, 1000))),
    ("D01", "error", "git lfs pull", lambda d: d(d.folder(model_joblib=LFS)), lambda d: d()),
    ("D02", "error", "download", lambda d: d(d.folder(model_pkl=b"<!DOCTYPE html><html>")), lambda d: d()),
    ("D03", "error", "save the model", lambda d: d(d.folder(model_bst=b"")), lambda d: d()),
    ("D04", "advice", "copy the file", lambda d: d(with_link(d, True)), lambda d: d(with_link(d, False))),
    (
        "A04",
        "error",
        "save the estimator",
        lambda d: d(d.folder(model_pkl=pickle.dumps(["model.joblib"]))),
        lambda d: d(d.folder(model_pkl=d.models.sklearn)),
    ),
    (
        "A04",
        "warning",
        "pipeline",
        lambda d: d(d.folder(model_pkl=pickle.dumps(Version()))),
        lambda d: d(d.folder(model_pkl=d.models.pickled_booster)),
    ),
    (
        "A04",
        "error",
        "--framework scikit-learn",
        lambda d: d(d.folder(model_pkl=d.models.sklearn), framework="XGBOOST"),
        lambda d: d(d.folder(model_pkl=d.models.pickled_booster), framework="XGBOOST"),
    ),
    (
        "A07",
        "error",
        "get_booster",
        lambda d: d(d.folder(model_pkl=d.models.wrapper), framework="XGBOOST"),
        lambda d: d(d.folder(model_pkl=d.models.wrapper), framework="SCIKIT_LEARN"),
    ),
    ("F01", "error", "'2.11'", lambda d: d.cloud(runtimeVersion=None), lambda d: d(runtimeVersion=None)),
    (
        "F01",
        "error",
        "pythonVersion: '3.5'",
        lambda d: d.cloud(runtimeVersion="1.14", pythonVersion=None),
        lambda d: d.cloud(runtimeVersion="1.14", pythonVersion="3.5"),
    ),
    ("S09", "error", "'1.12'", lambda d: d(runtimeVersion="1.12.1"), lambda d: d(runtimeVersion="1.12")),
    ("S09", "error", "'2.11'", lambda d: d(runtimeVersion="newest"), lambda d: d(runtimeVersion="2.10")),
    ("S10", "error", "'2.11'", lambda d: d(runtimeVersion="2.10"), lambda d: d(runtimeVersion="2.11")),
    ("S10", "error", "'2.1'", lambda d: d(runtimeVersion="2.0"), lambda d: d(runtimeVersion="2.1")),
    (
        "S11",
        "error",
        "'3.7'",
        lambda d: d(runtimeVersion="2.11", pythonVersion="3.10"),
        lambda d: d(runtimeVersion="2.11", pythonVersion="3.7"),
    ),
    ("S11", "error", "'3.7'", lambda d: d(pythonVersion="3.11"), lambda d: d(pythonVersion="2.7")),
    ("S12", "error", "SCIKIT_LEARN", lambda d: d(framework="sklearn"), lambda d: d(framework="scikit-learn")),
    ("S12", "error", "one of", lambda d: d(framework="PYTORCH"), lambda d: d(framework="FRAMEWORK_UNSPECIFIED")),
    ("S13", "error", "'2.11'", lambda d: d(runtimeVersion="1.2"), lambda d: d(runtimeVersion="1.4")),
    ("S14", "error", "n1-standard-2", lambda d: d(machineType="n1-standrad-2", **REGIONAL), lambda d: d(**REGIONAL)),
    (
        "S14",
        "error",
        "mls1-c1-m2",
        lambda d: d(machineType="n1-standard-4"),
        lambda d: d(machineType="n1-standard-4", **REGIONAL),
    ),
    (
        "S14",
        "error",
        "use n1-standard-2",
        lambda d: d(machineType="mls1-c4-m2", **REGIONAL),
        lambda d: d(machineType="mls1-c4-m2"),
    ),
    ("S14", "error", "mls1-c1-m2", lambda d: d(machineType="mls1-highmem-1"), lambda d: d(machineType="mls1-c1-m2")),
    ("S14", "error", "one of", lambda d: d(machineType="e2-micro"), lambda d: d()),
    (
        "S15",
        "error",
        "omit acceleratorConfig",
        lambda d: d(acceleratorConfig={"type": "NVIDIA_TESLA_T4", "count": 1}),
        lambda d: d(),
    ),
    (
        "S15",
        "error",
        "'NVIDIA_TESLA_T4'",
        lambda d: d(
            tree(d, "saved_model.pb"), acceleratorConfig={"type": "NVIDIA_TESLA_T44", "count": "1"}, **REGIONAL
        ),
        lambda d: d(tree(d, "saved_model.pb"), acceleratorConfig={"type": "NVIDIA_TESLA_T4", "count": "1"}, **REGIONAL),
    ),
    (
        "S15",
        "error",
        "count: 1",
        lambda d: d(tree(d, "saved_model.pb"), acceleratorConfig={"count": 0}, **REGIONAL),
        lambda d: d(tree(d, "saved_model.pb"), acceleratorConfig={"count": 2}, **REGIONAL),
    ),
    (
        "S08",
        "error",
        "omit framework",
        lambda d: d(predictionClass="m.C", framework="SCIKIT_LEARN"),
        lambda d: d(predictionClass="m.C"),
    ),
    (
        "S20",
        "error",
        "omit serviceAccount",
        lambda d: d(serviceAccount="a@b.iam.gserviceaccount.com"),
        lambda d: d(serviceAccount="a@b.iam.gserviceaccount.com", predictionClass="m.C"),
    ),
    (
        "S21",
        "error",
        "keep one",
        lambda d: d(autoScaling={"minNodes": 1}, manualScaling={"nodes": 1}),
        lambda d: d(autoScaling={"minNodes": 1}),
    ),
    (
        "S22",
        "error",
        "minNodes: 1",
        lambda d: d(autoScaling={"minNodes": 0}, **REGIONAL),
        lambda d: d(autoScaling={"minNodes": 0}),
    ),
    (
        "S22",
        "error",
        "minNodes: 1",
        lambda d: d(autoScaling={"minNodes": -1}),
        lambda d: d(autoScaling={"minNodes": 1}),
    ),
    (
        "C01",
        "error",
        "%aip_package",
        lambda d: d(packageUris=["gs://b/a.egg"]),
        lambda d: d(packageUris=["gs://b/a.whl"]),
    ),
    ("C01", "error", "gs://BUCKET", lambda d: d(packageUris=["gs://a.zip"]), lambda d: d(packageUris=["gs://b/a.zip"])),
    (
        "C02",
        "error",
        "my_code-0.1.tar.gz",
        lambda d: d(packageUris=[package(d, 2)]),
        lambda d: d(packageUris=[package(d)]),
    ),
    ("C02", "error", "%aip_package", lambda d: d(packageUris=[folder_named(d, "a.zip")]), lambda d: d()),
    (
        "C03",
        "error",
        "--package-uris",
        lambda d: d(predictionClass="m.C"),
        lambda d: d(predictionClass="m.C", packageUris=["gs://b/a.zip"]),
    ),
    ("C04", "error", "my_module.Mine", lambda d: d(predictionClass="Mine"), lambda d: d(predictionClass="a.b.Mine")),
    ("C04", "error", "module.Class", lambda d: d(predictionClass="a-b.C"), lambda d: d(predictionClass="모듈.C")),
    (
        "S17",
        "error",
        "mls1-c1-m2",
        lambda d: d(predictionClass="m.C", **REGIONAL),
        lambda d: d(predictionClass="m.C"),
    ),
    ("S17", "warning", "--region", lambda d: d(packageUris=["gs://b/a.zip"], **REGIONAL), lambda d: d(**REGIONAL)),
    (
        "A19",
        "error",
        ".export(",
        lambda d: d(tree(d, "flowers.keras")),
        lambda d: d(tree(d, "flowers.keras", "saved_model.pb")),
    ),
    (
        "A19",
        "error",
        "tf.train.Checkpoint(model=model).restore(",
        lambda d: d(tree(d, "model.ckpt-1.index", "model.ckpt-1.data-00000-of-00001"), framework="TENSORFLOW"),
        lambda d: d(tree(d, "weights.h5"), framework="SCIKIT_LEARN"),
    ),
    (
        "A19",
        "error",
        "tf.train.Checkpoint(model=model).restore(",
        lambda d: d(tree(d, "checkpoint")),
        lambda d: d(tree(d, "iris.pkl", "x.h5")),
    ),
    ("P03", "error", "--origin", lambda d: d(container={"image": "x"}), lambda d: d()),
    (
        "P04",
        "error",
        "omit acceleratorConfig",
        lambda d: d(tree(d, "saved_model.pb"), acceleratorConfig={"type": "NVIDIA_TESLA_T4"}, **REGIONAL),
        lambda d: d.cloud(acceleratorConfig={"type": "NVIDIA_TESLA_T4"}),
    ),
    (
        "P05",
        "error",
        "omit explanationConfig",
        lambda d: d(explanationConfig={"xraiAttribution": {}}),
        lambda d: d.cloud(explanationConfig={"xraiAttribution": {}}),
    ),
    (
        "A01",
        "error",
        "protocol=4",
        lambda d: d.cloud(d.folder(model_pkl=pickle.dumps(pickle.loads(d.models.sklearn), protocol=5))),
        lambda d: d.cloud(d.folder(model_pkl=pickle.dumps(pickle.loads(d.models.sklearn), protocol=4))),
    ),
    (
        "A01",
        "error",
        "protocol=2",
        lambda d: d.cloud(runtimeVersion="1.15", pythonVersion="2.7"),
        lambda d: d.cloud(runtimeVersion="1.15", pythonVersion="3.7"),
    ),
    (
        "A02",
        "error",
        "scikit-learn==1.0.2 numpy==1.21.6",
        lambda d: d.cloud(d.folder(model_pkl=d.models.sklearn_of("1.1.0"))),
        lambda d: d.cloud(d.folder(model_pkl=d.models.sklearn_of("1.0.2"))),
    ),
    (
        "A02",
        "warning",
        "'2.11'",
        lambda d: d.cloud(runtimeVersion="2.3"),
        lambda d: d.cloud(d.folder(model_pkl=d.models.sklearn_of("0.23.2")), runtimeVersion="2.3"),
    ),
    (
        "A02",
        "error",
        "xgboost==1.6.2",
        lambda d: d.cloud(d.folder(model_bst=d.models.booster_of(2, 1, 4))),
        lambda d: d.cloud(d.folder(model_bst=d.models.booster_of(1, 6, 2))),
    ),
    (
        "A02",
        "warning",
        "retrain on Python 3.7",
        lambda d: d(d.folder(model_pkl=d.models.sklearn), runtimeVersion="2.11"),
        lambda d: d(runtimeVersion="2.11"),
    ),
    ("A02", "advice", "retrain", lambda d: d(d.folder(model_pkl=d.models.sklearn)), lambda d: d()),
    (
        "R07",
        "error",
        "xgboost==1.6.2",
        lambda d: d.cloud(d.folder(model_bst=d.models.booster_of(3, 0, 0))),
        lambda d: d.cloud(d.folder(model_bst=d.models.booster_of(2, 1, 4))),
    ),
    (
        "R07",
        "warning",
        "xgboost==1.6.2",
        lambda d: d(d.folder(model_bst=d.models.booster_of(3, 2, 0)), runtimeVersion="2.11"),
        lambda d: d(d.folder(model_bst=d.models.booster_of(3, 2, 0))),
    ),
    ("R01", "error", "fewer", lambda d: d(test=request(BIG + 1)), lambda d: d(test=request(BIG))),
    ("R16", "error", "instances:", lambda d: d(test=b'{"instances": []}'), lambda d: d(test=b'{"instances": [[1]]}')),
    ("R16", "error", "instances:", lambda d: d(test=b'{"instances": 1}'), lambda d: d(test=b'{"instances": [1]}')),
    ("R16", "error", "instances:", lambda d: d(test=b"[[1]]"), lambda d: d()),
    ("R16", "error", "instances:", lambda d: d(test=b'{"instances": [1]'), lambda d: d(test=b'{"instances": [null]}')),
    *rule_cases_estimators.CASES,
    *rule_cases_fields.CASES,
    *rule_cases_graphs.CASES,
    *rule_cases_models.CASES,
    *rule_cases_packages.CASES,
    *rule_cases_project.CASES,
    *rule_cases_serving.CASES,
]

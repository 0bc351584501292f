"""Cases of the rules about Vertex AI: what triggers each, and its nearest innocent neighbour."""

from __future__ import annotations

import datetime
import json

from rule_cases_models import asked, of_module, saved

OWN = "us-central1-docker.pkg.dev/p/r/i:1"
PREBUILT = "us-docker.pkg.dev/vertex-ai/prediction"
SKLEARN = f"{PREBUILT}/sklearn-cpu.1-6:latest"
XGBOOST = f"{PREBUILT}/xgboost-cpu.2-1:latest"
TENSORFLOW = f"{PREBUILT}/tf2-cpu.2-15:latest"
CONTAINER = "%aip_package --container"
T4 = {"type": "NVIDIA_TESLA_T4", "count": 1}
MB = 1024**2


def served(d, image=OWN, folder=None, *, today=None, **fields):
    """A version that names its image."""
    day = {"today": today} if today else {}
    return d.vertex(folder, container={"image": image}, **day, **fields)


def with_env(d, *variables):
    return d.vertex(container={"image": OWN, "env": [{"name": name, "value": value} for name, value in variables]})


def tree(d, *names):
    """A directory with the model under each of these names."""
    folder = d.folder(note_txt=b"x")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(d.models.sklearn_of("1.6.1"))
    return folder


def booster(d, *version):
    return d.folder(model_bst=d.models.booster_of(*version))


def on(d, machine, accelerator=None, count=None, **fields):
    """A SavedModel on this machine."""
    config = {"type": accelerator, "count": count}
    fields = {**fields, "acceleratorConfig": {name: value for name, value in config.items() if value is not None}}
    return d.vertex(saved(d), machineType=machine, **fields)


def of_size(d, size, **fields):
    folder = d.folder(model_pkl=d.models.sklearn_of("1.6.1"))
    with (folder / "table").open("wb") as file:
        file.truncate(size)  # sparse: takes no room on the disk
    return d.vertex(folder, **fields)


def request(size):
    """A request body of exactly this many bytes, with a hundred instances."""
    rows = ["x" * (size // 100 - 40)] * 99
    empty = len(json.dumps({"instances": [*rows, ""]}))
    return json.dumps({"instances": [*rows, "x" * (size - empty)]}).encode()


CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    ("V06", "error", f"image: {SKLEARN}", lambda d: served(d, SKLEARN[:-7]), lambda d: served(d, SKLEARN)),
    (
        "V06",
        "error",
        f"image: {SKLEARN}",
        lambda d: served(d, f"{PREBUILT}/sklearn-cpu.1-7:latest"),
        lambda d: served(d, "us-central1-docker.pkg.dev/p/r/sklearn-cpu.1-7:latest"),
    ),
    (
        "V06",
        "error",
        CONTAINER,
        lambda d: served(d, f"{PREBUILT}/xgboost-cpu.3-2:latest", booster(d, 3, 2, 0)),
        lambda d: served(d, XGBOOST, booster(d, 2, 1, 0)),
    ),
    (
        "V07",
        "error",
        f"image: {SKLEARN}",
        lambda d: served(d, f"{PREBUILT}/sklearn-cpu.1-0:latest"),
        lambda d: served(d, SKLEARN),
    ),
    (
        "V07",
        "error",
        CONTAINER,
        lambda d: served(d, TENSORFLOW, saved(d), today=datetime.date(2027, 1, 15)),
        lambda d: served(d, OWN, saved(d), today=datetime.date(2027, 1, 15)),
    ),
    (
        "V07",
        "error",
        f"image: {TENSORFLOW}",
        lambda d: served(d, f"{PREBUILT}/tf2-cpu.2-13:latest", saved(d)),
        lambda d: served(d, TENSORFLOW, saved(d), today=datetime.date(2026, 10, 15)),
    ),
    (
        "V07",
        "error",
        f"image: {SKLEARN}",
        lambda d: served(d, "gcr.io/cloud-aiplatform/prediction/sklearn-cpu.1-6:latest"),
        lambda d: served(d, "gcr.io/cloud-aiplatform/training/sklearn-cpu.1-6:latest"),
    ),
    ("V07", "warning", "scikit-learn 1.6", lambda d: d.vertex(release="1.5.2"), lambda d: d.vertex()),
    (
        "V07",
        "warning",
        CONTAINER,
        lambda d: served(d, XGBOOST, booster(d, 2, 1, 0)),
        lambda d: served(d, XGBOOST, booster(d, 2, 1, 0), today=datetime.date(2026, 10, 1)),
    ),
    ("V21", "error", f"image: {SKLEARN}", lambda d: served(d, XGBOOST), lambda d: served(d, SKLEARN)),
    (
        "V21",
        "error",
        CONTAINER,
        lambda d: served(d, SKLEARN, booster(d, 3, 2, 0)),
        lambda d: served(d, XGBOOST, booster(d, 3, 2, 0)),
    ),
    ("V03", "error", CONTAINER, lambda d: d.vertex(release="1.7.2"), lambda d: d.vertex(release="1.4.0")),
    (
        "V03",
        "error",
        CONTAINER,
        lambda d: d.vertex(booster(d, 3, 2, 0)),
        lambda d: d.vertex(booster(d, 2, 1, 4)),
    ),
    (
        "V03",
        "error",
        f"image: {SKLEARN}",
        lambda d: served(d, f"{PREBUILT}/sklearn-cpu.1-5:latest"),
        lambda d: served(d, SKLEARN, release="1.5.2"),
    ),
    (
        "V41",
        "error",
        CONTAINER,
        lambda d: d.vertex(saved(d, ops=("Placeholder", "SimpleMLCreateModelResource"))),
        lambda d: d.vertex(saved(d, ops=("Placeholder", "MatMul"))),
    ),
    (
        "V27",
        "warning",
        CONTAINER,
        lambda d: d.vertex(d.folder(model_pkl=of_module("hypothesis")), framework="SCIKIT_LEARN"),
        lambda d: d.vertex(d.folder(model_pkl=of_module("sklearn")), framework="SCIKIT_LEARN"),
    ),
    (
        "V27",
        "warning",
        CONTAINER,
        lambda d: served(d, SKLEARN, d.folder(model_pkl=of_module("my_steps"))),
        lambda d: served(d, OWN, d.folder(model_pkl=of_module("my_steps"))),
    ),
    (
        "V02",
        "error",
        "remove model.pkl",
        lambda d: served(d, SKLEARN, tree(d, "model.pkl", "model.joblib")),
        lambda d: served(d, SKLEARN, tree(d, "model.pkl", "other.joblib")),
    ),
    (
        "V02",
        "error",
        "--origin",
        lambda d: served(d, SKLEARN, tree(d, "sub/model.pkl")),
        lambda d: served(d, SKLEARN, tree(d, "model.pkl", "sub/model.pkl")),
    ),
    (
        "V02",
        "error",
        "save the model as model.joblib",
        lambda d: served(d, SKLEARN, tree(d, "iris.pkl")),
        lambda d: served(d, OWN, tree(d, "iris.pkl")),
    ),
    (
        "V02",
        "error",
        "remove model.joblib",
        lambda d: served(d, XGBOOST, tree(d, "model.bst", "model.joblib")),
        lambda d: served(d, SKLEARN, tree(d, "model.bst", "model.joblib")),
    ),
    (
        "V23",
        "error",
        f"docker push {OWN}",
        lambda d: served(d, OWN.replace("central1", "east1")),
        lambda d: served(d, OWN.replace("central1", "east1"), region="us-east1"),
    ),
    ("V23", "error", f"docker push {OWN}", lambda d: served(d, OWN.replace("us-central1", "us")), served),
    ("V23", "error", "docker push", lambda d: served(d, "gcr.io/p/i"), lambda d: served(d, SKLEARN)),
    ("V23", "error", "image: ", lambda d: served(d, ""), lambda d: d.vertex()),
    (
        "V24",
        "error",
        CONTAINER,
        lambda d: d.vertex(predictionClass="m.C", packageUris=["gs://b/p.tar.gz"]),
        lambda d: served(d, predictionClass="m.C", packageUris=["gs://b/p.tar.gz"]),
    ),
    (
        "V24",
        "error",
        CONTAINER,
        lambda d: served(d, SKLEARN, packageUris=["gs://b/p.tar.gz"]),
        lambda d: served(d, SKLEARN),
    ),
    (
        "V25",
        "error",
        "name: LEVEL",
        lambda d: with_env(d, ("AIP_LEVEL", "1")),
        lambda d: with_env(d, ("MY_AIP_LEVEL", "1")),
    ),
    (
        "V25",
        "error",
        "keep only",
        lambda d: with_env(d, *((f"V{n}", "") for n in range(201))),
        lambda d: with_env(d, *((f"V{n}", "") for n in range(200))),
    ),
    (
        "V25",
        "error",
        "put the value into a file",
        lambda d: with_env(d, ("A", "x" * (128 * 1024 - 2))),
        lambda d: with_env(d, ("A", "x" * (128 * 1024 - 3))),
    ),
    (
        "V25",
        "error",
        "put the value into a file",
        lambda d: with_env(d, *((name, "x" * (128 * 1024 - 3)) for name in "ABCDE")),
        lambda d: with_env(d, *((name, "x" * (128 * 1024 - 3)) for name in "ABCD")),
    ),
    (
        "V28",
        "error",
        "machineType: n1-standard-2",
        lambda d: d.vertex(machineType="mls1-c1-m2"),
        lambda d: d.vertex(machineType="e2-highcpu-2"),
    ),
    (
        "V28",
        "warning",
        "'n1-standard-32'",
        lambda d: d.vertex(machineType="n1-standard-3"),
        lambda d: d.vertex(machineType="n1-standard-32"),
    ),
    (
        "V28",
        "error",
        "machineType: n1-standard-2",
        lambda d: d.vertex(machineType="large"),
        lambda d: d.vertex(machineType="ct5lp-hightpu-1t"),
    ),
    (
        "V29",
        "error",
        "use one of NVIDIA_TESLA_P100",
        lambda d: on(d, "n1-standard-2", count=1),
        lambda d: on(d, "n1-standard-2", accelerator="NVIDIA_TESLA_T4"),
    ),
    (
        "V29",
        "error",
        "'NVIDIA_TESLA_T4'",
        lambda d: on(d, "n1-standard-2", "NVIDIA_TESLA_T44"),
        lambda d: on(d, "ct5lp-hightpu-1t", "TPU_V5_LITEPOD", 1),
    ),
    (
        "V29",
        "error",
        "count: 2",
        lambda d: on(d, "n1-standard-32", "NVIDIA_TESLA_T4", 1),
        lambda d: on(d, "n1-standard-32", "NVIDIA_TESLA_T4", 4),
    ),
    (
        "V29",
        "error",
        "count: 4",
        lambda d: on(d, "n1-standard-8", "NVIDIA_TESLA_T4", 8),
        lambda d: on(d, "n1-standard-8", "NVIDIA_TESLA_V100", 8),
    ),
    (
        "V29",
        "error",
        "machineType: n1-standard-4",
        lambda d: on(d, "e2-standard-4", "NVIDIA_TESLA_T4", 1),
        lambda d: on(d, None, "NVIDIA_TESLA_T4", 1),
    ),
    (
        "V29",
        "error",
        "machineType: g2-standard-24",
        lambda d: on(d, "n1-standard-4", "NVIDIA_L4", 2),
        lambda d: on(d, "g2-standard-24", "NVIDIA_L4", 2),
    ),
    (
        "V29",
        "error",
        "use one of NVIDIA_TESLA_P100",
        lambda d: on(d, "n1-standard-4", "NVIDIA_TESLA_K80", 1),
        lambda d: on(d, "n1-standard-4", "NVIDIA_TESLA_P100", 1),
    ),
    (
        "V29",
        "error",
        "omit acceleratorConfig",
        lambda d: d.vertex(machineType="n1-standard-4", acceleratorConfig=T4),
        lambda d: served(d, machineType="n1-standard-4", acceleratorConfig=T4),
    ),
    (
        "V31",
        "error",
        "minNodes: 1",
        lambda d: d.vertex(autoScaling={"minNodes": 0}),
        lambda d: d.vertex(autoScaling={"minNodes": 1}),
    ),
    (
        "V42",
        "warning",
        "machineType: n1-highmem-2",
        lambda d: of_size(d, 4 * 1024 * MB),
        lambda d: of_size(d, 3 * 1024 * MB),
    ),
    (
        "V42",
        "warning",
        "machineType: c3-highcpu-8",
        lambda d: of_size(d, 5 * 1024 * MB, machineType="c3-highcpu-4"),
        lambda d: of_size(d, 5 * 1024 * MB, machineType="e2-standard-4"),
    ),
    ("V33", "error", "use iris", lambda d: d.vertex(model={"name": "Iris"}), lambda d: d.vertex()),
    (
        "V33",
        "error",
        "use model_2024",
        lambda d: d.vertex(model={"name": "2024"}),
        lambda d: d.vertex(model={"name": "_2024-x"}),
    ),
    (
        "V33",
        "error",
        "use " + "a" * 63,
        lambda d: d.vertex(model={"name": "a" * 64}),
        lambda d: d.vertex(model={"name": "a" * 63}),
    ),
    ("V32", "error", "use v1", lambda d: d.vertex(name="1"), lambda d: d.vertex(name="v1_2")),
    ("V32", "error", "use v1", lambda d: d.vertex(name="v_"), lambda d: d.vertex(name="V_2")),
    ("V32", "error", "use v1", lambda d: d.vertex(name="Default"), lambda d: d.vertex(name="defaults")),
    (
        "V32",
        "error",
        "use " + "a" * 100,
        lambda d: d.vertex(name="a" * 129),
        lambda d: d.vertex(name="projects/p-1/models/iris/versions/" + "a" * 128),
    ),
    (
        "V34",
        "error",
        "use team",
        lambda d: d.vertex(labels={"Team": "a"}),
        lambda d: d.vertex(labels={"team": "가-_1"}),
    ),
    ("V34", "error", "use 2-0", lambda d: d.vertex(labels={"a": "2.0"}), lambda d: d.vertex(labels={"a": "2_0"})),
    ("V34", "error", "shorten", lambda d: d.vertex(labels={"a": "x" * 65}), lambda d: d.vertex(labels={"a": "x" * 64})),
    (
        "V34",
        "error",
        "shorten",
        lambda d: d.vertex(model={"labels": {"x" * 65: ""}}),
        lambda d: d.vertex(model={"labels": {"x" * 64: ""}}),
    ),
    ("V34", "error", "with a letter", lambda d: d.vertex(labels={"1a": "x"}), lambda d: d.vertex(labels={"a1": ""})),
    ("V30", "error", "--region us-central1", lambda d: d.vertex(region=None), lambda d: d.vertex()),
    (
        "V30",
        "error",
        "--region europe-west4",
        lambda d: d.vertex(region=None, model={"regions": ["europe-west4"]}),
        lambda d: d.vertex(region="europe-west4", model={"regions": ["europe-west4"]}),
    ),
    (
        "V30",
        "error",
        "'us-central1'",
        lambda d: d.vertex(region="us-centrall1"),
        lambda d: d.vertex(region="us-south1"),
    ),
    ("V30", "error", "use one of", lambda d: d.vertex(region="zzz"), lambda d: d.vertex(region="me-west1")),
    ("V30", "warning", "did you mean", lambda d: d.vertex(region="us-east7"), lambda d: d.vertex(region="us-east5")),
    (
        "V30",
        "error",
        "regions: [us-east1]",
        lambda d: d.vertex(model={"regions": ["us-west1"]}, region="us-east1"),
        lambda d: d.vertex(model={"regions": ["us-west1"]}, region="us-west1"),
    ),
    (
        "V35",
        "error",
        "a dedicated endpoint takes 10 MB",
        lambda d: d.vertex(test=request(3 * MB)),
        lambda d: d.vertex(test=request(3 * MB // 2)),
    ),
    ("V35", "error", "about 9", lambda d: d.vertex(test=request(16 * MB)), lambda d: d.vertex(test=request(MB))),
    (
        "V37",
        "error",
        "omit signature_name",
        lambda d: d.vertex(saved(d), test=asked([1.0, 2.0], signature_name="serving_default")),
        lambda d: d.vertex(saved(d), test=asked([1.0, 2.0], parameters={"a": 1})),
    ),
    (
        "V38",
        "error",
        "omit parameters",
        lambda d: d.vertex(test=asked([1.0, 2.0], parameters={"a": 1})),
        lambda d: served(d, test=asked([1.0, 2.0], parameters={"a": 1})),
    ),
    (
        "V39",
        "error",
        "omit explanationConfig",
        lambda d: d.vertex(explanationConfig={"sampledShapleyAttribution": {"numPaths": 2}}),
        lambda d: d.vertex(),
    ),
    (
        "V40",
        "warning",
        "omit runtimeVersion",
        lambda d: d.vertex(runtimeVersion="2.11", pythonVersion="3.7"),
        lambda d: d.vertex(),
    ),
    (
        "V40",
        "warning",
        "omit pythonVersion",
        lambda d: d.vertex(booster(d, 3, 2, 0), pythonVersion="3.7"),
        lambda d: d.cloud(),
    ),
]

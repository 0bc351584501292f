"""`gcloud ai-platform`, unchanged, when it is installed: every command for models, versions, operations and the rest.

A command takes gcloud a second or two before it says a word, so the tests share a server and each tells one story.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from gcloud_process import GCLOUD, Gcloud

pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")
MEMBER = ["--member=user:a@example.com", "--role=roles/ml.developer"]


@pytest.fixture
def gcloud(shared_server, tmp_path):
    return Gcloud(shared_server, tmp_path)


@pytest.fixture(scope="module")
def iris(shared_server, sklearn_dir):
    """A model with a READY version, for the commands that change nothing."""
    assert shared_server.deploy(sklearn_dir, "iris", "v1")["response"]["state"] == "READY"
    return "iris"


def test_gcloud_life_of_a_model(gcloud):
    made = gcloud.run("models", "create", "bare", "--regions=us-central1", "--description=d", "--labels=a=b")
    assert made.returncode == 0
    assert "Created ai platform model [projects/proj/models/bare]." in made.stderr
    assert "the subject of a conflict: Field: model.name Error: A model with" in gcloud.fails(
        "models", "create", "bare"
    )
    gcloud.out("models", "update", "bare", "--description=new", "--update-labels=c=d", "--remove-labels=a")
    shown = gcloud.json("models", "describe", "bare")
    assert (shown["description"], shown["labels"], shown["regions"]) == ("new", {"c": "d"}, ["us-central1"])
    assert "bare" in gcloud.out("models", "list")
    gcloud.out("models", "delete", "bare")
    text = gcloud.fails("models", "describe", "bare")
    assert 'NOT_FOUND: Field: name Error: The model resource: "bare" was not found.' in text


def test_gcloud_life_of_versions(gcloud, shared_server, sklearn_dir):
    uri = shared_server.upload(sklearn_dir, "gs://bucket/life")
    gcloud.out("models", "create", "life", "--regions=us-central1")
    version = ["--model=life", f"--origin={uri}", "--runtime-version=2.11", "--python-version=3.7"]
    done = gcloud.run("versions", "create", "v1", *version, "--framework=scikit-learn", "--labels=k=v")
    assert done.returncode == 0, done.stderr
    assert "Creating version (this might take a few minutes)" in done.stderr
    assert "done." in done.stderr
    name = gcloud.out("versions", "create", "v2", *version, "--async", "--format=value(name)").strip()
    gcloud.out("operations", "wait", name.rpartition("/")[2])
    assert gcloud.out("versions", "list", "--model=life").split()[:3] == ["NAME", "DEPLOYMENT_URI", "STATE"]
    gcloud.out("versions", "update", "v2", "--model=life", "--description=two", "--clear-labels")
    assert "isDefault: true" in gcloud.out("versions", "set-default", "v2", "--model=life")
    shown = gcloud.json("versions", "describe", "v2", "--model=life")
    assert (shown["description"], shown["isDefault"], shown["state"]) == ("two", True, "READY")
    assert "has versions cannot be deleted" in gcloud.fails("models", "delete", "life")
    assert "The default version cannot be deleted" in gcloud.fails("versions", "delete", "v2", "--model=life")
    for one in ("v1", "v2"):
        gcloud.out("versions", "delete", one, "--model=life")


def test_gcloud_life_cycle_at_a_regional_endpoint_through_the_proxy(gcloud, shared_server, sklearn_dir, tmp_path):
    uri = shared_server.upload(sklearn_dir, "gs://bucket/regional")
    region = "--region=us-east1"

    def run(*words, **options):
        return gcloud.out(*words, region, proxy=True, **options)

    run("models", "create", "regional")
    assert shared_server.call("GET", "/v1/projects/proj/models/regional").status == 404  # another namespace
    version = ["--model=regional", f"--origin={uri}", "--runtime-version=2.11", "--python-version=3.7"]
    run("versions", "create", "v1", *version, "--machine-type=n1-standard-2", "--min-nodes=1", "--max-nodes=1")
    shown = json.loads(run("versions", "describe", "v1", "--model=regional", "--format=json"))
    assert (shown["machineType"], shown["autoScaling"]) == ("n1-standard-2", {"maxNodes": 1, "minNodes": 1})
    (tmp_path / "nodes.yaml").write_text("manualScaling:\n  nodes: 2\n")
    run("versions", "update", "v1", "--model=regional", f"--config={tmp_path / 'nodes.yaml'}")
    shown = json.loads(run("versions", "describe", "v1", "--model=regional", "--format=json"))
    assert (shown["manualScaling"], "autoScaling" in shown) == ({"nodes": 2}, False)
    assert run("predict", "--model=regional", "--json-instances=-", stdin="[0, 0]\n[3, 3]\n").split() == ["[0,", "1]"]
    operations = run("operations", "list", "--format=value(metadata.operationType)").split()
    assert operations == ["UPDATE_VERSION", "CREATE_VERSION"]  # the newest first
    run("versions", "delete", "v1", "--model=regional")
    run("models", "delete", "regional")
    assert "does not answer for the host" not in gcloud.out("models", "list", "--region=global", proxy=True)


def test_gcloud_predict_and_explain(gcloud, iris, tmp_path):
    (tmp_path / "request.json").write_text('{"instances": [[0, 0], [3, 3]]}')
    request = f"--json-request={tmp_path / 'request.json'}"
    assert gcloud.out("predict", "--model=iris", request).strip() == "[0, 1]"
    assert gcloud.json("predict", "--model=iris", "--version=v1", request) == {"predictions": [0, 1]}
    failed = gcloud.fails("predict", "--model=iris", "--json-instances=-", stdin="[1]\n")
    assert 'HTTP request failed. Response: {"error":"Prediction failed: Exception during sklearn predict' in failed
    refused = gcloud.fails("beta", "explain", "--model=iris", request)
    assert 'The version \\"v1\\" cannot be explained' in refused


def test_gcloud_operations(gcloud, iris):
    rows = gcloud.out("operations", "list").splitlines()
    assert rows[0].split() == ["NAME", "OPERATION_TYPE", "DONE"]
    name = next(row.split()[0] for row in rows if row.startswith("create_iris_v1"))
    shown = gcloud.out("operations", "describe", name)
    assert "  '@type': type.googleapis.com/google.cloud.ml.v1.OperationMetadata\n" in shown
    assert "  operationType: CREATE_VERSION\n" in shown
    assert gcloud.out("operations", "cancel", name) == ""
    gcloud.out("operations", "wait", name)
    assert 'NOT_FOUND: Field: name Error: The operation: "none"' in gcloud.fails("operations", "describe", "none")


def test_gcloud_is_told_why_a_version_cannot_be_created(gcloud, iris, shared_server, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(b"\x80\x04broken")
    uri = shared_server.upload(folder, "gs://bucket/broken")
    common = ["--model=iris", f"--origin={uri}", "--runtime-version=2.11", "--python-version=3.7"]
    text = gcloud.fails("versions", "create", "broken", *common, "--framework=scikit-learn")
    assert 'Create Version failed. Bad model detected with error:  "Failed to load model: Could not load' in text
    assert gcloud.json("versions", "describe", "broken", "--model=iris")["errorMessage"] in text
    text = gcloud.fails("versions", "create", "other", *common, "--machine-type=n1-standard-4")
    assert "INVALID_ARGUMENT: The specified machine type 'n1-standard-4' is only available on the regional" in text


def test_gcloud_iam_policies(gcloud, iris):
    assert gcloud.out("models", "get-iam-policy", "iris") == "etag: ACAB\n"
    policy = gcloud.json("models", "add-iam-policy-binding", "iris", *MEMBER)
    assert policy["bindings"] == [{"members": ["user:a@example.com"], "role": "roles/ml.developer"}]
    assert gcloud.json("models", "get-iam-policy", "iris") == policy
    gcloud.out("models", "remove-iam-policy-binding", "iris", *MEMBER)
    assert gcloud.out("models", "get-iam-policy", "iris") == "etag: ACAB\n"


JOB = ["submit", "prediction", "j", "--data-format=text", "--input-paths=gs://b/i", "--output-path=gs://b/o"]
REFUSALS = [
    ([*JOB, "--region=us-central1", "--model=iris"], "Batch prediction is not available on this server."),
    (["describe", "j"], 'NOT_FOUND: Field: name Error: The job resource: "j" was not found.'),
    (["cancel", "j"], 'The job resource: "j" was not found.'),
    (["update", "j", "--update-labels=a=b"], 'The job resource: "j" was not found.'),
]


def test_gcloud_jobs_are_refused(gcloud):
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda case: gcloud.fails("jobs", *case[0]), REFUSALS))
    for (_, wanted), text in zip(REFUSALS, texts, strict=True):
        assert wanted in text
    assert "Listed 0 items." in gcloud.run("jobs", "list").stderr


def test_gcloud_locations(gcloud):
    rows = gcloud.out("alpha", "locations", "list").splitlines()
    assert rows[0].split()[:2] == ["NAME", "TYPE"]
    assert any("us-central1" in row and "ONLINE_PREDICTION" in row for row in rows)
    assert gcloud.json("alpha", "locations", "describe", "us-east1")["name"] == "projects/proj/locations/us-east1"

"""What stands around models and versions: locations, config, jobs, explain, standard parameters, filters, quotas."""

import sqlite3

import pytest

P = "/v1/projects/proj"


def refused(answer, code, status):
    assert answer.status == code, answer
    assert answer.body["error"]["status"] == status
    return answer.body["error"]["message"]


def test_locations_are_listed_and_found(shared_server):
    listed = shared_server.ok("GET", f"{P}/locations?pageSize=100")["locations"]
    names = [item["name"].rpartition("/")[2] for item in listed]
    assert names == sorted(names)
    assert {"us-central1", "asia-northeast1", "us-west1"} < set(names)
    one = shared_server.ok("GET", f"{P}/locations/us-central1")
    assert one in listed
    assert one["capabilities"] == [{"type": "ONLINE_PREDICTION"}]
    seen, token = [], ""
    while not seen or token:
        page = shared_server.ok("GET", f"{P}/locations?pageSize=5&pageToken={token}")
        seen, token = [*seen, *page["locations"]], page.get("nextPageToken", "")
    assert seen == listed
    message = refused(shared_server.call("GET", f"{P}/locations/mars"), 404, "NOT_FOUND")
    assert message == 'Field: name Error: The location resource: "mars" was not found.'


def test_project_config_of_a_project(shared_server):
    config = shared_server.ok("GET", f"{P}:getConfig")
    number = config["serviceAccountProject"]
    assert len(number) == 12
    assert config["serviceAccount"] == f"service-{number}@cloud-ml.google.com.iam.gserviceaccount.com"
    assert shared_server.ok("GET", f"{P}:getConfig") == config
    assert shared_server.ok("GET", "/v1/projects/other:getConfig") != config
    assert shared_server.ok("GET", "/v1/projects/123456:getConfig")["serviceAccountProject"] == "123456"


def test_operations_are_found_by_their_location_too(shared_server):
    region = {"Host": "us-east4-ml.googleapis.com"}
    shared_server.ok("POST", f"{P}/models", {"name": "m"}, **region)
    name = shared_server.ok("DELETE", f"{P}/models/m", **region)["name"]
    id_ = name.rpartition("/")[2]
    assert shared_server.ok("GET", f"{P}/locations/us-east4/operations/{id_}")["name"] == name
    assert shared_server.ok("POST", f"{P}/locations/us-east4/operations/{id_}:cancel") == {}
    assert shared_server.call("GET", f"{P}/locations/us-east1/operations/{id_}").status == 404


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"jobId": "j", "predictionInput": {}}, "FAILED_PRECONDITION", "Batch prediction is not available on this"),
        ({"jobId": "j", "trainingInput": {}}, "FAILED_PRECONDITION", "Training is not available"),
        ({"jobId": "j"}, "INVALID_ARGUMENT", "Exactly one of prediction_input and training_input"),
        ({"predictionInput": {}}, "INVALID_ARGUMENT", "Field: job.job_id Error: A job id is required."),
    ],
)
def test_jobs_are_refused_and_none_are_there(shared_server, body, status, text):
    assert text in refused(shared_server.call("POST", f"{P}/jobs", body), 400, status)
    assert shared_server.ok("GET", f"{P}/jobs?pageSize=10&filter=state=RUNNING") == {}
    for method, path in (("GET", "j"), ("PATCH", "j?updateMask=labels"), ("POST", "j:cancel")):
        message = refused(shared_server.call(method, f"{P}/jobs/{path}", None), 404, "NOT_FOUND")
        assert message == 'Field: name Error: The job resource: "j" was not found.'


def test_explain_is_refused_with_the_reason(shared_server, sklearn_dir):
    shared_server.deploy(sklearn_dir, "explained")
    body = {"instances": [[1, 2]]}
    for path in (f"{P}/models/explained", f"{P}/models/explained/versions/v1"):
        message = refused(shared_server.call("POST", f"{path}:explain", body), 400, "FAILED_PRECONDITION")
        assert message.startswith('Field: name Error: The version "v1" cannot be explained: it was created without')
    assert refused(shared_server.call("POST", f"{P}/models/none:explain", body), 404, "NOT_FOUND")
    assert refused(shared_server.call("POST", f"{P}/models/explained/versions/x:explain", body), 404, "NOT_FOUND")
    shared_server.ok("POST", f"{P}/models", {"name": "bare"})
    answer = shared_server.call("POST", f"{P}/models/bare:explain", body)
    assert 'The model "bare" has no default version' in refused(answer, 400, "FAILED_PRECONDITION")


def test_system_parameters_that_all_methods_take(shared_server):
    shared_server.ok("POST", f"{P}/models", {"name": "params", "description": "d", "labels": {"a": "b"}})
    path = f"{P}/models/params"
    ignored = (
        "key=k&quotaUser=u&access_token=t&oauth_token=o&%24.xgafv=2&callback=f&uploadType=media&upload_protocol=raw"
    )
    whole = shared_server.ok("GET", f"{path}?alt=json&{ignored}&unknown=1")
    assert shared_server.ok("GET", f"{path}?fields=description,labels/a") == {
        "description": "d",
        "labels": {"a": "b"},
    }
    assert shared_server.ok("GET", f"{path}?fields=*") == whole
    assert shared_server.ok("GET", f"{P}/models?fields=models(name,labels.a)&filter=name:params") == {
        "models": [{"name": "projects/proj/models/params", "labels": {"a": "b"}}]
    }
    assert shared_server.ok("GET", f"{path}?fields=none") == {}
    pretty = shared_server.http.get(
        f"{shared_server.url}{path}?prettyPrint=true", headers={"Authorization": f"Bearer {shared_server.state.token}"}
    )
    assert pretty.text.startswith('{\n  "name": "projects/proj/models/params"')
    assert pretty.json() == whole


@pytest.mark.parametrize("query", ["fields=(", "fields=a(b", "fields=a,,b", "fields=/", "alt=media", "alt=proto"])
def test_system_parameters_that_are_refused_leave_everything_as_it_was(shared_server, query):
    refused(shared_server.call("POST", f"{P}/models?{query}", {"name": "never"}), 400, "INVALID_ARGUMENT")
    assert shared_server.call("GET", f"{P}/models/never").status == 404


@pytest.mark.parametrize(
    ("filter_", "names"),
    [
        ("name:one", ["one"]),
        ("name=one", ["one"]),
        ("name=projects/filter/models/one", ["one"]),
        ("name=ONE", []),
        ("name:O*E", ["one"]),
        ("name=t*", ["three", "two"]),
        ("labels.team=nlp", ["one", "two"]),
        ("labels.team:*", ["one", "two"]),
        ("labels:team", ["one", "two"]),
        ("labels.team=nlp AND -name=one", ["two"]),
        ("labels.team=nlp NOT name=one", ["two"]),
        ("labels.team!=nlp", ["three"]),
        ('description="the second"', ["two"]),
        ("description:SECOND regions:us-central1", ["two"]),
        ("onlinePredictionLogging=true", ["three"]),
        ("online_prediction_logging = true", ["three"]),
        ("nothing:x", []),
    ],
)
def test_filters_of_lists(shared_server, filter_, names):
    path = "/v1/projects/filter/models"
    shared_server.call("POST", path, {"name": "one", "labels": {"team": "nlp"}})
    shared_server.call("POST", path, {"name": "two", "labels": {"team": "nlp"}, "description": "the second"})
    shared_server.call("POST", path, {"name": "three", "onlinePredictionLogging": True})
    query = "&".join(["pageSize=1", "filter=" + filter_.replace("=", "%3D").replace(" ", "%20")])
    found, token = [], ""
    while True:  # pages of one: the filter comes before the paging
        page = shared_server.ok("GET", f"{path}?{query}&pageToken={token}")
        found += [item["name"].rpartition("/")[2] for item in page.get("models", [])]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert found == names


@pytest.mark.parametrize("filter_", ["a", "a>1", "(a=b)", "a=b OR c=d", "=b", "a:", 'a="b', "a=b" * 400, "a=b " * 21])
def test_filters_beyond_that_are_refused(shared_server, filter_):
    answer = shared_server.http.get(
        f"{shared_server.url}{P}/models",
        params={"filter": filter_},
        headers={"Authorization": f"Bearer {shared_server.state.token}"},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Field: filter Error: Invalid filter at ")


def test_filters_of_operations_by_what_they_did(shared_server):
    path = "/v1/projects/opfilter"
    shared_server.ok("POST", f"{path}/models", {"name": "m"})
    shared_server.ok("PATCH", f"{path}/models/m?updateMask=description", {"description": "d"})
    shared_server.ok("DELETE", f"{path}/models/m")
    found = shared_server.ok("GET", f"{path}/operations?filter=metadata.operationType%3DDELETE_MODEL+done%3Dtrue")
    assert [item["metadata"]["operationType"] for item in found["operations"]] == ["DELETE_MODEL"]


def quota(answer):
    message = refused(answer, 429, "RESOURCE_EXHAUSTED")
    (detail,) = answer.body["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert detail["violations"][0]["subject"] == "project:proj"
    return message


def test_quota_of_versions_is_for_requested_machine_types(server, sklearn_dir):
    server.deploy(sklearn_dir, "m", "v0")
    uri = "gs://bucket-of-models/m/v0"
    with sqlite3.connect(server.data_dir / "service.sqlite") as database:
        for number in range(1, 100):
            row = ("global", "proj", f"m{number}", "{}")
            database.execute("INSERT INTO models (location, project, model, document) VALUES (?, ?, ?, ?)", row)
        for number in range(1, 200):
            row = ("global", "proj", "m1", f"v{number}", "FAILED", "/python", "{}", '{"state": "FAILED"}')
            names = "location, project, model, version, state, python, runtime, document"
            database.execute(f"INSERT INTO versions ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    server.ok("POST", f"{P}/models", {"name": "onemore"})  # the 101st: the service refuses it
    assert server.call("POST", f"{P}/models", {"name": "m1"}).status == 409
    body = {"name": "onemore", "deploymentUri": uri, "machineType": "mls1-c1-m2"}
    text = quota(server.call("POST", f"{P}/models/m/versions", body))
    assert text == "Quota exceeded. A project can have at most 200 versions, over all its models."
    server.ok("POST", "/v1/projects/other/models", {"name": "onemore"})
    unlimited = {"name": "unlimited", "deploymentUri": uri}
    assert server.wait(server.ok("POST", f"{P}/models/m/versions", unlimited))["response"]["state"] == "READY"
    for number in (1, 2):
        server.ok("DELETE", f"{P}/models/m1/versions/v{number}")
    assert server.wait(server.ok("POST", f"{P}/models/m/versions", body))["response"]["state"] == "READY"

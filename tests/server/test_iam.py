"""IAM policies of models: read, changed under their etag, kept; permissions tested."""

import pytest

P = "/v1/projects/proj"
BINDING = {
    "role": "roles/ml.developer",
    "members": ["user:a@example.com", "serviceAccount:s@p.iam.gserviceaccount.com"],
}


@pytest.fixture
def model(shared_server, request):
    name = f"m{abs(hash(request.node.name))}"
    shared_server.ok("POST", f"{P}/models", {"name": name})
    return f"{P}/models/{name}"


def put(server, model, policy, **more):
    return server.call("POST", f"{model}:setIamPolicy", {"policy": policy, **more})


def test_iam_policy_is_read_changed_and_kept(server, new_server):
    server.ok("POST", f"{P}/models", {"name": "m"})
    model = f"{P}/models/m"
    empty = server.ok("GET", f"{model}:getIamPolicy?options.requestedPolicyVersion=3&alt=json")
    assert empty == {"etag": "ACAB"}
    given = {"bindings": [BINDING], "etag": empty["etag"]}
    made = server.ok("POST", f"{model}:setIamPolicy", {"policy": given, "updateMask": "bindings,etag"})
    assert made["bindings"] == [BINDING]
    assert server.ok("GET", f"{model}:getIamPolicy") == made
    lost = put(server, model, {"bindings": [], "etag": empty["etag"]})
    assert (lost.status, lost.body["error"]["status"]) == (409, "ABORTED")
    assert server.ok("GET", f"{model}:getIamPolicy") == made
    url_safe = made["etag"].replace("+", "-").replace("/", "_")
    assert put(server, model, {"etag": url_safe}).body == {"etag": "ACAB"}  # no bindings: none are left
    put(server, model, {"bindings": [BINDING]})  # without an etag the last one wins
    server.kill()
    again = new_server(data_dir=server.data_dir).start()
    assert again.ok("GET", f"{model}:getIamPolicy")["bindings"] == [BINDING]


def test_iam_condition_needs_version_3(shared_server, model):
    binding = {**BINDING, "condition": {"title": "t", "expression": "true"}}
    answer = put(shared_server, model, {"bindings": [binding]})
    assert "A policy with conditions must have version 3." in answer.body["error"]["message"]
    assert put(shared_server, model, {"bindings": [binding], "version": 3}).body["version"] == 3


def test_iam_audit_configs_change_only_when_the_mask_names_them(shared_server, model):
    audit = [{"service": "ml.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    assert "auditConfigs" not in put(shared_server, model, {"auditConfigs": audit}).body
    made = put(shared_server, model, {"audit_configs": audit}, updateMask="audit_configs").body
    assert made["auditConfigs"] == audit
    assert put(shared_server, model, {"bindings": [BINDING]}).body["auditConfigs"] == audit


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Field: policy Error: A policy is required."),
        ({"policy": {"binding": []}}, "Unknown name \"binding\" at 'policy': Cannot find field."),
        ({"policy": {"bindings": [{"rol": 1}]}}, "Unknown name \"rol\" at 'policy.bindings[0]': Cannot find field."),
        ({"polic": {}}, 'Unknown name "polic": Cannot find field.'),
        ({"policy": {"bindings": [{"role": "owner"}]}}, "Field: policy.bindings[0].role Error: Invalid role 'owner'"),
        ({"policy": {"bindings": [{**BINDING, "members": ["me"]}]}}, "Field: policy.bindings[0].members"),
        ({"policy": {"version": 2}}, "Field: policy.version"),
        ({"policy": {"etag": "%"}}, "Field: policy.etag"),
        ({"policy": {}, "updateMask": "roles"}, "The field 'roles' cannot be updated"),
        ({"policy": []}, "expected a mapping with the fields of Policy"),
    ],
)
def test_iam_policies_that_are_refused(shared_server, model, body, text):
    answer = shared_server.call("POST", f"{model}:setIamPolicy", body)
    assert answer.status == 400
    assert answer.body["error"]["status"] == "INVALID_ARGUMENT"
    assert text in answer.body["error"]["message"]
    assert shared_server.ok("GET", f"{model}:getIamPolicy") == {"etag": "ACAB"}


def test_iam_permissions_are_tested(shared_server, model):
    asked = ["ml.models.predict", "ml.jobs.create", "ml.versions.get", "ml.versions.get"]
    held = shared_server.ok("POST", f"{model}:testIamPermissions", {"permissions": asked})
    assert held == {"permissions": ["ml.models.predict", "ml.versions.get"]}
    assert shared_server.ok("POST", f"{model}:testIamPermissions", {}) == {}
    wildcard = shared_server.call("POST", f"{model}:testIamPermissions", {"permissions": ["ml.models.*"]})
    assert wildcard.status == 400


def test_iam_of_missing_resources_has_no_permissions_and_no_policy(shared_server):
    asked = {"permissions": ["ml.models.predict"]}
    for path in (f"{P}/models/none", f"{P}/jobs/none"):
        assert shared_server.ok("POST", f"{path}:testIamPermissions", asked) == {}
        assert shared_server.call("GET", f"{path}:getIamPolicy").status == 404
        assert put(shared_server, path, {}).status == 404
    answer = shared_server.call("GET", f"{P}/models/none:getIamPolicy?options.requestedPolicyVersion=2")
    assert answer.status == 400


def test_iam_policy_goes_with_its_model(shared_server, model):
    put(shared_server, model, {"bindings": [BINDING]})
    shared_server.ok("DELETE", model)
    shared_server.ok("POST", f"{P}/models", {"name": model.rpartition("/")[2]})
    assert shared_server.ok("GET", f"{model}:getIamPolicy") == {"etag": "ACAB"}

"""Lists of Vertex AI's API: filters, orders and pages."""

import pytest
from server_process import ServerProcess
from vertex_requests import IMAGE, PARENT

MODELS = f"{PARENT}/models"


@pytest.fixture(scope="module")
def listed(shared_server, sklearn_dir) -> ServerProcess:
    """The server of this module with four models: b, a, d, c in the order of their creation."""
    uri = shared_server.upload(sklearn_dir, "gs://bucket/listed")
    for number, model_id in enumerate("badc"):
        labels = {"team": "x" if number % 2 else "y", **({"last-one": "1"} if number == 3 else {})}
        model = {"displayName": f"Model {model_id.upper() if number else 'A'}", "labels": labels, "artifactUri": uri}
        body = {"modelId": model_id, "model": {**model, "containerSpec": {"imageUri": IMAGE}}}
        shared_server.ok("POST", f"{MODELS}:upload", body)
    return shared_server


def ids(page):
    return "".join(model["name"].rpartition("/")[2] for model in page.get("models", []))


FILTERS = [
    ("", "cdab"),  # the newest first
    ('display_name="Model A"', "ab"),
    ('displayName="Model A"', "ab"),
    ('display_name!="Model A"', "cd"),
    ("labels.team=x", "ca"),
    ('labels.team="y" AND display_name="Model D"', "d"),
    ("labels.last-one:*", "c"),
    ("labels:last-one", "c"),
    ("labels:last", ""),
    ("NOT labels:last-one", "dab"),
    ("model=d", "d"),
    ("model!=d", "cab"),
    ("model=none", ""),
]


@pytest.mark.parametrize(("text", "found"), FILTERS, ids=[text or "none" for text, _ in FILTERS])
def test_vertex_listing_filters(listed, text, found):
    answer = listed.http.get(
        listed.url + MODELS, params={"filter": text}, headers={"Authorization": f"Bearer {listed.state.token}"}
    )
    assert ids(answer.json()) == found


ORDERS = [
    ("create_time", "badc"),
    ("create_time desc", "cdab"),
    ("createTime asc", "badc"),
    ("display_name", "abcd"),
    ("display_name desc", "dcab"),
    ("display_name, create_time desc", "abcd"),
    ("display_name,create_time", "bacd"),
    ("update_time desc", "cdab"),
]


@pytest.mark.parametrize(("order", "found"), ORDERS)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_vertex_listing_orders_and_pages(listed, order, found, size):
    seen, token = "", ""
    while True:
        page = listed.ok("GET", f"{MODELS}?orderBy={order.replace(' ', '%20')}&pageSize={size}&pageToken={token}")
        assert len(ids(page)) <= size
        seen, token = seen + ids(page), page.get("nextPageToken", "")
        if not token:
            break
    assert seen == found


def test_vertex_listing_goes_on_after_a_deleted_model(listed, sklearn_dir):
    project = MODELS.replace("/proj/", "/pages/")
    uri = listed.upload(sklearn_dir, "gs://bucket/pages")
    for model_id in "abc":
        model = {"displayName": model_id, "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}}
        listed.ok("POST", f"{project}:upload", {"modelId": model_id, "model": model})
    page = listed.ok("GET", f"{project}?order_by=display_name&page_size=2")
    assert ids(page) == "ab"
    listed.ok("DELETE", f"{project}/b")
    assert ids(listed.ok("GET", f"{project}?order_by=display_name&page_token={page['nextPageToken']}")) == "c"


def test_vertex_listing_orders_versions(listed, sklearn_dir):
    uri = listed.upload(sklearn_dir, "gs://bucket/versions")
    project = PARENT.replace("/proj/", "/versions/")
    model = {"displayName": "v", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}}
    listed.ok("POST", f"{project}/models:upload", {"modelId": "v", "model": model})
    for _ in range(10):
        again = {"parentModel": f"{project.removeprefix('/v1/')}/models/v", "model": {**model, "labels": {"n": "2"}}}
        listed.ok("POST", f"{project}/models:upload", again)

    def numbers(query=""):
        return [int(one["versionId"]) for one in listed.ok("GET", f"{project}/models/v:listVersions{query}")["models"]]

    assert numbers() == list(range(1, 12))
    assert numbers("?orderBy=create_time%20desc&pageSize=3") == [11, 10, 9]
    assert numbers("?filter=labels.n%3D2%20AND%20labels:n") == list(range(2, 12))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("orderBy=name", "order_by"),
        ("orderBy=display_name%20up", "order_by"),
        ("pageSize=-1", "page_size"),
        ("pageToken=x", "page_token"),
        ("pageToken=WyJhIl0=", "page_token"),  # of a list with another order
        ("filter=(", "filter"),
    ],
)
def test_vertex_listing_refuses(listed, query, field):
    answer = listed.call("GET", f"{MODELS}?{query}")
    assert answer.status == 400
    assert answer.body["error"]["message"].startswith(f"List of found errors:\t1.Field: {field}; Message: ")

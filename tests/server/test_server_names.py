import pytest

from aip_magics.server.names import ModelKey, get_location, is_resource_id


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("127.0.0.1:8080", "global"),
        ("127.0.0.1", "global"),
        ("localhost:1", "global"),
        ("LOCALHOST:1", "global"),
        ("[::1]:8080", "global"),
        ("ml.googleapis.com", "global"),
        ("ml.googleapis.com:80", "global"),
        ("storage.googleapis.com", "global"),
        ("us-east1-ml.googleapis.com", "us-east1"),
        ("europe-west4-ml.googleapis.com:443", "europe-west4"),
    ],
)
def test_names_of_hosts_we_answer_for(host, location):
    assert get_location(host) == location


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:8080@evil.example",
        "localhost.evil.example:8080",
        "mars-ml.googleapis.com",
        "x.us-east1-ml.googleapis.com",
        "us-east1-ml.googleapis.com.evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1:",
        "0.0.0.0:8080",
        "localhost\n",
    ],
)
def test_names_of_hosts_we_do_not_answer_for(host):
    assert get_location(host) is None


@pytest.mark.parametrize("name", ["a", "A_1", "model", "m" * 128])
def test_names_that_are_legal(name):
    assert is_resource_id(name)


@pytest.mark.parametrize("name", ["", "1a", "_a", "a-b", "a b", "a.b", "é", "a\n", "m" * 129, "../x"])
def test_names_that_are_illegal(name):
    assert not is_resource_id(name)


def test_names_keys_of_resources():
    key = ModelKey("us-east1", "p", "m")
    assert key.name == "projects/p/models/m"
    assert key.child("v").name == "projects/p/models/m/versions/v"
    assert key.child("v").parent == key
    assert key.regional
    assert not ModelKey("global", "p", "m").regional

"""Custom code at the server: packages that are missing, copied, released; frameworks that are warmed."""

import sys

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from server_process import descendants, wait_until

from aip_magics import artifacts
from aip_magics.deploy import trust_store
from aip_magics.trust import digest

P = "/v1/projects/proj"


@pytest.fixture
def routine(server, tmp_path):
    """The fields of a version that is a routine, uploaded to this server."""
    sdist(tmp_path / "code", "my_routine", my_routine=ROUTINE)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    return {
        "folder": routine_dir(tmp_path / "offset"),
        "predictionClass": "my_routine.Routine",
        "packageUris": [f"{uri}/my_routine-0.1.tar.gz"],
    }


def copies(server):
    return len(list((server.data_dir / "artifacts").iterdir()))


def test_server_packages_are_shared_and_go_with_the_last_version(server, routine):
    for version in ("v1", "v2"):
        assert server.deploy(version=version, **routine)["response"]["state"] == "READY"
    assert copies(server) == 2  # the model directory and the package, each once
    assert len(list((server.data_dir / "packages").glob("[!.]*/"))) == 1
    server.ok("POST", f"{P}/models/m/versions/v2:setDefault", {})
    server.ok("DELETE", f"{P}/models/m/versions/v1")
    assert copies(server) == 2
    body = {"instances": [1, 2], "factor": 3}
    assert server.ok("POST", f"{P}/models/m:predict", body) == {"predictions": [103, 106]}
    server.ok("DELETE", f"{P}/models/m/versions/v2")
    assert copies(server) == 0


def test_server_packages_are_installed_again_where_the_cache_was_emptied(server, new_server, routine):
    import shutil

    server.deploy(**routine)
    server.kill()
    shutil.rmtree(server.data_dir / "packages")
    again = new_server(data_dir=server.data_dir).start()
    assert again.ok("POST", f"{P}/models/m:predict", {"instances": [1]}) == {"predictions": [101]}


def test_server_packages_name_one_that_is_missing(server, routine):
    uri = server.upload(routine.pop("folder"), "gs://bucket-of-models/m")
    server.ok("POST", f"{P}/models", {"name": "m"})
    for missing in ("gs://bucket-of-models/code/other-0.1.tar.gz", "gs://no-such-bucket/p.whl"):
        packages = [*routine["packageUris"], missing]
        body = {"name": "v1", "deploymentUri": uri, **routine, "packageUris": packages}
        answer = server.call("POST", f"{P}/models/m/versions", body)
        assert (answer.status, answer.body["error"]["status"]) == (400, "FAILED_PRECONDITION")
        text = f"Field: version.package_uris Error: The package {missing} was not found."
        assert answer.body["error"]["message"] == text


def test_server_packages_need_consent_for_what_their_build_runs(server, tmp_path):
    """As gcloud does it: nobody there can say --trust. The consent is for the content, wherever it lies."""
    marker = tmp_path / "ran"
    setup = (
        f"from setuptools import setup\nopen({str(marker)!r}, 'w')\nsetup(name='acting', py_modules=['my_routine'])\n"
    )
    package = sdist(tmp_path / "code", "acting", setup=setup, my_routine=ROUTINE)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    fields = {"predictionClass": "my_routine.Routine", "packageUris": [f"{uri}/{package.name}"]}
    folder = routine_dir(tmp_path / "offset")
    refused = server.deploy(folder, **fields)["error"]["message"]
    assert "User-provided package acting-0.1.tar.gz failed to install: building the package may run its code" in refused
    assert "setup.py, line 2: calls open" in refused
    assert not marker.exists()
    file = artifacts.file_at(package)
    trust_store.remember(server.data_dir, {digest(file.path): file})
    assert server.deploy(folder, version="v2", **fields)["response"]["state"] == "READY"
    assert marker.exists()


def test_warm_route_preloads_a_framework(server):
    before = descendants(server.process.pid)
    assert server.ok("POST", "/aip-magics/warm", {"framework": "XGBOOST"}) == {}
    wait_until(lambda: len(descendants(server.process.pid)) == len(before) + 1)
    assert (
        server.call("POST", "/aip-magics/warm", {"framework": "XGBOOST"}, X_Aip_Magics_Python=sys.executable).status
        == 200
    )
    assert len(descendants(server.process.pid)) == len(before) + 1
    for body in ({}, {"framework": "PYTORCH"}, {"framework": ["XGBOOST"]}):
        answer = server.call("POST", "/aip-magics/warm", body)
        assert (answer.status, answer.body["error"]["status"]) == (400, "INVALID_ARGUMENT")

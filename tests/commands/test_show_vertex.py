"""`--show` and `--dry-run` with target Vertex AI: the shown lines deploy a model to the embedded server and predict."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from resource_lines import Lines
from shown_scripts import PROGRAMS, SHELL, available, run

from aip_magics import settings
from aip_magics.client import Request, Wait
from aip_magics.client.vertex.bodies import request_logging
from aip_magics.commands.common.options import SCRIPT_FORMATS
from aip_magics.commands.show import render_script
from aip_magics.commands.show.vertex_address import VertexAddress
from aip_magics.errors import OptionError
from aip_magics.targets import choose, local

REHEARSAL = "--target vertex --endpoint local"
CLOUD = "--target vertex --project some-project --region europe-west4"
IMAGE = "--image europe-west4-docker.pkg.dev/some-project/models/iris:1"
PARENT = "projects/some-project/locations/europe-west4"


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_vertex_prints_lines_that_deploy_and_predict(
    embedded: Path, form: str, iris_export: Path, tmp_path: Path
) -> None:
    available(form)
    aip = Lines(embedded)
    body = 'test: {instances: [[6.7, 3.0, 5.2, 2.3]]}\ndescription: "it\'s $HOME"\nlabels: {team: a}\n'
    shown = aip(f"deploy v1 --model shown --origin {iris_export} {REHEARSAL} --show {form}", body)
    assert not (embedded / "server.json").exists()  # nothing was sent
    local.start(embedded)
    output = run(PROGRAMS[form], shown, tmp_path)
    state = local.running(embedded)
    assert state is not None
    assert state.token not in shown + output
    assert "[2]" in output  # the deployed version predicts
    version = aip(f"describe v1 --model shown {REHEARSAL}")
    assert (version.description, version.labels) == ("it's $HOME", {"team": "a"})
    assert (version.state, version.trafficPercentage) == ("READY", 100)
    # A cell finds what the script created, and creates nothing again.
    again = aip(f"deploy v1 --model shown --origin {iris_export} {REHEARSAL}", body)
    assert again.modelVersion == version.modelVersion


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_vertex_prints_lines_that_read_predict_and_undeploy(
    embedded: Path, form: str, iris_export: Path, tmp_path: Path
) -> None:
    available(form)
    aip = Lines(embedded)
    for name in ("v1", "v2"):
        aip(f"deploy {name} --model shown --origin {iris_export} --description {name} {REHEARSAL}")
    (tmp_path / "rows.json").write_text("[6.7, 3.0, 5.2, 2.3]\n")
    operation = aip(f"operations {REHEARSAL}")[0].name
    shown = [
        aip(f"{line} {REHEARSAL} --show {form}")
        for line in (
            "list",
            "list --model shown",
            "describe v2 --model shown",
            f"predict --model shown --json-instances {tmp_path / 'rows.json'}",
            f"predict --model shown --version v2 --json-instances {tmp_path / 'rows.json'}",
            f"wait {operation}",
            "undeploy v2 --model shown",
        )
    ]
    output = run(PROGRAMS[form], "\n".join(shown), tmp_path)
    assert output.count("[2]") == 2  # both versions predict
    assert "versionDescription" in output
    assert aip(f"describe v2 --model shown {REHEARSAL}").deployedModelId is None
    assert aip(f"describe v1 --model shown {REHEARSAL}").trafficPercentage == 100


def test_dry_run_of_a_vertex_deployment_names_its_requests(home: Path, iris_export: Path) -> None:
    plan = Lines(home)(f"deploy v1 --model iris --origin {iris_export} {CLOUD} {IMAGE} --dry-run")
    base = f"https://europe-west4-aiplatform.googleapis.com/v1/{PARENT}"
    sent = [(each.method, each.url) for each in plan.requests if "/operations/" not in each.url]
    assert sent[-4:] == [
        ("POST", f"{base}/endpoints?endpointId=iris"),
        ("POST", f"{base}/models:upload"),
        ("POST", f"{base}/endpoints/iris:deployModel"),
        ("GET", f"{base}/models/iris@v1"),
    ]
    assert not (home / "server.json").exists()


def test_show_vertex_prints_the_cloud_with_the_users_own_credentials(home: Path, iris_export: Path) -> None:
    aip = Lines(home)
    line = f"deploy v1 --model iris --origin {iris_export} {CLOUD} {IMAGE} --accelerator type=nvidia-tesla-t4"
    gcloud = aip(f"{line} --min-nodes 2 --metric-targets cpu-usage=70 --show gcloud")
    assert "server env" not in gcloud
    assert "--accelerator=type=nvidia-tesla-t4,count=1" in gcloud
    assert "--min-replica-count=2" in gcloud
    assert "--autoscaling-metric-specs=cpu-usage=70" in gcloud
    curl = aip(f"{line} --show curl")
    assert "token=$(gcloud auth application-default print-access-token)" in curl
    assert "vertex=https://europe-west4-aiplatform.googleapis.com/ storage=" in curl
    assert "X-Aip-Magics-Python" not in curl
    python = aip(f"{line} --show python")
    assert 'discovery.build("aiplatform", "v1"' in python
    assert "google.auth.default(" in python
    compile(python, "shown", "exec")


REQUESTS = {
    "list": [Request("GET", f"v1/{PARENT}/models", params={"pageSize": "100"})],
    "versions": [Request("GET", f"v1/{PARENT}/models/iris:listVersions", params={"pageSize": "100"})],
    "traffic": [
        Request(
            "PATCH", f"v1/{PARENT}/endpoints/e", {"trafficSplit": {"1": 90, "2": 10}}, {"updateMask": "trafficSplit"}
        )
    ],
    "labels": [Request("PATCH", f"v1/{PARENT}/endpoints/e", {"labels": {"a": "x,y"}}, {"updateMask": "labels"})],
    "logging": [
        Request(
            "PATCH",
            f"v1/{PARENT}/endpoints/e",
            request_logging({"bigqueryTableName": "p.d.t", "samplingPercentage": 0.5}),
            {"updateMask": "predictRequestResponseLoggingConfig"},
        )
    ],
    "undeploy": [Request("POST", f"v1/{PARENT}/endpoints/e:undeployModel", {"deployedModelId": "7"}), Wait()],
    "delete": [Request("DELETE", f"v1/{PARENT}/models/iris@2:deleteVersion"), Wait()],
    "operation": [Request("GET", f"v1/{PARENT}/models/iris/operations/9")],
    "wait": [Wait(f"{PARENT}/endpoints/e/operations/9")],
    "aliases": [Request("POST", f"v1/{PARENT}/models/iris@2:mergeVersionAliases", {"versionAliases": ["default"]})],
}
WHERE = "--project=some-project --region=europe-west4"
GCLOUD = {
    "list": f"gcloud ai models list {WHERE}",
    "versions": f"gcloud ai models list-version iris {WHERE}",
    "traffic": f"gcloud ai endpoints update e --traffic-split=1=90,2=10 {WHERE}",
    "labels": f"gcloud ai endpoints update e --clear-labels --update-labels='^|^a=x,y' {WHERE}",
    "logging": "gcloud ai endpoints update e --request-response-logging-table=bq://p.d.t "
    f"--request-response-logging-rate=0.5 {WHERE}",
    "undeploy": f"gcloud ai endpoints undeploy-model e --deployed-model-id=7 {WHERE}",
    "delete": f"gcloud ai models delete-version iris@2 --quiet {WHERE}",
    "operation": f"gcloud ai operations describe 9 {WHERE}",
    "wait": f"gcloud ai operations describe 9 {WHERE}",
    "aliases": f"# gcloud has no command for {PARENT}/models/iris@2:mergeVersionAliases",
}
PYTHON = {
    "list": f".models().list(parent='{PARENT}', pageSize=100)",
    "versions": f".models().listVersions(name='{PARENT}/models/iris', pageSize=100)",
    "traffic": f".endpoints().patch(name='{PARENT}/endpoints/e', updateMask='trafficSplit', body=",
    "labels": f".endpoints().patch(name='{PARENT}/endpoints/e', updateMask='labels', body=",
    "logging": f".endpoints().patch(name='{PARENT}/endpoints/e', updateMask='predictRequestResponseLoggingConfig', ",
    "undeploy": f".endpoints().undeployModel(endpoint='{PARENT}/endpoints/e', body=",
    "delete": f".models().deleteVersion(name='{PARENT}/models/iris@2')",
    "operation": f".models().operations().get(name='{PARENT}/models/iris/operations/9')",
    "wait": '.endpoints().operations().get(name=answer["name"])',
    "aliases": f".models().mergeVersionAliases(name='{PARENT}/models/iris@2', body=",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_show_vertex_writes_each_request(name: str) -> None:
    target = choose(settings.resolve(target="vertex", project="some-project", region="europe-west4"))
    assert render_script("gcloud", REQUESTS[name], target).splitlines()[-1] == GCLOUD[name]
    program = render_script("python", REQUESTS[name], target)
    assert f"vertex.projects().locations(){PYTHON[name]}" in program
    compile(program, "shown", "exec")


def test_show_vertex_python_calls_methods_of_the_client() -> None:
    """The methods and their arguments are those of the discovery document that the client library brings."""
    discovery = pytest.importorskip("googleapiclient.discovery")
    from google.auth.credentials import AnonymousCredentials

    target = choose(settings.resolve(target="vertex", project="some-project", region="europe-west4"))
    vertex = discovery.build("aiplatform", "v1", credentials=AnonymousCredentials(), static_discovery=True)
    for name, requests in REQUESTS.items():
        for node in ast.walk(ast.parse(render_script("python", requests, target))):
            call = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
            if call.startswith("vertex.") and "_next(" not in call:
                owner = "models/m" if ".models().operations()" in call else "endpoints/e"
                answer = {"name": f"{PARENT}/{owner}/operations/9"}
                built = eval(call, {"vertex": vertex, "answer": answer})
                assert built.uri.startswith("https://aiplatform.googleapis.com/v1/"), name


def test_show_vertex_gcloud_stops_waiting_at_an_error(tmp_path: Path) -> None:
    target = choose(settings.resolve(target="vertex", project="some-project", region="europe-west4"))
    # An operation that cannot be asked for at first; the second answer is that of the last line.
    stub = 'gcloud() { echo >> asked; [ "$(wc -l < asked)" -gt 1 ] && echo True; }\nsleep() { :; }\n'
    run(SHELL, stub + render_script("gcloud", REQUESTS["wait"], target), tmp_path)
    assert (tmp_path / "asked").read_text() == "\n\n"


def test_show_vertex_quotes_names(tmp_path: Path) -> None:
    """Whatever a name has in it reaches the program as that very name."""
    nasty = """a"; touch gone; '$(touch gone)`touch gone`"""
    target = choose(settings.resolve(target="vertex", project="some-project", region="europe-west4"))
    model = {"displayName": nasty, "containerSpec": {"imageUri": nasty, "env": [{"name": "A", "value": nasty}]}}
    requests = [
        Request("POST", f"v1/{PARENT}/models:upload", {"modelId": nasty, "model": model}),
        Request("POST", f"v1/{PARENT}/endpoints", {"displayName": nasty, "labels": {"a": nasty}}),
        Request("GET", f"v1/{PARENT}/models/{nasty.replace(':', '')}"),
    ]
    for form in ("gcloud", "curl"):
        stub = "gcloud() { :; }; curl() { cat > /dev/null; }\n"
        run(SHELL, stub + render_script(form, requests, target), tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bin"]
    compile(render_script("python", requests, target), "shown", "exec")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (f"v1/{PARENT}/models", VertexAddress(PARENT, "models")),
        (f"v1/{PARENT}/models:upload", VertexAddress(PARENT, "models", verb="upload")),
        (f"v1/{PARENT}/models/iris@v1", VertexAddress(PARENT, "models", "iris@v1")),
        (f"v1/{PARENT}/models/m@2:deleteVersion", VertexAddress(PARENT, "models", "m@2", verb="deleteVersion")),
        (f"v1/{PARENT}/endpoints/e/operations/7", VertexAddress(PARENT, "endpoints", "e", "7")),
        (f"v1/{PARENT}/operations/7:cancel", VertexAddress(PARENT, "operations", "7", verb="cancel")),
        ("aip-magics/images", None),
    ],
)
def test_vertex_address_of_a_path(path: str, address: VertexAddress | None) -> None:
    assert VertexAddress.of(path) == address
    if address is not None:
        assert f"v1/{address.name}" == path.partition(":")[0]
        assert json.dumps(address.operation_id) == ('"7"' if "/7" in path else '""')


class OtherApi(local.LocalTarget):
    """A target whose API no script can be written for."""

    api = ""


def test_show_is_refused_for_a_target_with_another_api() -> None:
    requests = [Request("GET", "v9/things")]
    for form in SCRIPT_FORMATS:
        with pytest.raises(OptionError, match="--show is not available for target local") as caught:
            render_script(form, requests, OtherApi(settings.resolve()))
        assert caught.value.fix == "use --dry-run"

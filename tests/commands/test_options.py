from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.parser import HelpAsked
from aip_magics.commands.deploy import build_deployment
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.commands.verbs import VERBS
from aip_magics.deploy import Deployment
from aip_magics.errors import AipError, CellError, FieldError, InstancesError, OptionError
from aip_magics.events import Event
from aip_magics.spec import Model, Version


class Silent:
    def emit(self, event: Event) -> None: ...
    def show(self, value: Any) -> None: ...


def deployment(line: str, body: str = "", **names: Any) -> Deployment:
    command = get_command("deploy")
    args = build_parser(command, "%aip_deploy").parse(line.split())
    return build_deployment(args, body, Context(Silent(), names))


def version(line: str, body: str = "") -> dict[str, Any]:
    return deployment(f"--origin x {line}", body).version.to_json()


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("v1 --framework scikit-learn", {"name": "v1", "framework": "SCIKIT_LEARN"}),
        ("--framework SCIKIT_LEARN", {"framework": "SCIKIT_LEARN"}),
        ("--runtime-version 2.11 --python-version 3.7", {"runtimeVersion": "2.11", "pythonVersion": "3.7"}),
        ("--machine-type=n1-standard-4", {"machineType": "n1-standard-4"}),
        ("--labels a=b,c=d", {"labels": {"a": "b", "c": "d"}}),
        ("--min-nodes 0 --max-nodes 3", {"autoScaling": {"minNodes": 0, "maxNodes": 3}}),
        (
            "--metric-targets cpu-usage=60",
            {"autoScaling": {"metrics": [{"name": "CPU_USAGE", "target": 60}]}},
        ),
        (
            "--accelerator type=nvidia-tesla-t4",
            {"acceleratorConfig": {"count": "1", "type": "NVIDIA_TESLA_T4"}},
        ),
        ("--package-uris gs://b/a.tar.gz,gs://b/b.tar.gz", {"packageUris": ["gs://b/a.tar.gz", "gs://b/b.tar.gz"]}),
        ("--prediction-class m.C --service-account a@b", {"predictionClass": "m.C", "serviceAccount": "a@b"}),
        (
            "--image r/i --ports 8080 --env-vars A=b --predict-route /p",
            {
                "container": {
                    "image": "r/i",
                    "ports": [{"containerPort": 8080}],
                    "env": [{"name": "A", "value": "b"}],
                },
                "routes": {"predict": "/p"},
            },
        ),
        (
            "--explanation-method sampled-shapley --num-paths 9",
            {"explanationConfig": {"sampledShapleyAttribution": {"numPaths": 9}}},
        ),
    ],
)
def test_options_of_gcloud_are_fields(line: str, fields: dict[str, Any]) -> None:
    assert version(line) == fields


def test_options_force_the_local_trial() -> None:
    assert not deployment("--origin x").force_trial
    assert deployment("--origin x --try").force_trial


def test_options_choose_the_environment() -> None:
    assert deployment("--origin x").env == "current"
    assert deployment("--origin x --env model").env == "model"
    assert deployment("--origin x --env runtime --image i --env-vars A=b").env == "runtime"


def test_options_of_the_line_override_the_body() -> None:
    assert version("--runtime-version 2.11", "runtimeVersion: '1.15'\ndescription: mine\n") == {
        "runtimeVersion": "2.11",
        "description": "mine",
    }


def test_options_of_the_body_override_the_config_file(tmp_path: Any) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("runtimeVersion: 2.1\ndescription: from the file\n")
    assert version(f"--config {config}", "description: from the cell") == {
        "runtimeVersion": "2.1",
        "description": "from the cell",
    }


def test_options_keep_the_literal_of_a_yaml_number() -> None:
    assert version("", "runtimeVersion: 2.10")["runtimeVersion"] == "2.10"


def test_options_of_files_to_upload_are_joined() -> None:
    made = deployment("--origin x --include GCP.key,conf/*.pem --include .vocabulary")
    assert made.include == ("GCP.key", "conf/*.pem", ".vocabulary")
    assert deployment("--origin x").include == ()


def test_options_of_models() -> None:
    model = deployment("--origin x --model iris --regions europe-west1 --enable-logging").model
    assert model.to_json() == {"name": "iris", "regions": ["europe-west1"], "onlinePredictionLogging": True}


def test_options_give_the_model_its_own_description_and_labels() -> None:
    found = deployment("--origin x --description v --model-description m --labels a=v --model-labels a=m")
    assert (found.version.description, found.version.labels) == ("v", {"a": "v"})
    assert (found.model.description, found.model.labels) == ("m", {"a": "m"})


def test_options_of_the_line_override_the_model_fields_of_the_cell() -> None:
    body = (
        "model:\n  name: iris\n  description: of the cell\n  labels: {team: $team}\n  onlinePredictionLogging: true\n"
    )
    found = deployment("--origin x --model-description line", body, team="a")
    assert found.model == Model("iris", "line", onlinePredictionLogging=True, labels={"team": "a"})
    assert found.version == Version()
    assert deployment("--origin x", "model: iris").model == Model("iris")
    assert deployment("--origin x --model other", "model: iris").model == Model("other")


def test_options_of_request_logging_are_a_field_of_the_version() -> None:
    config = {"bigqueryTableName": "p.d.t", "samplingPercentage": 0.1}
    assert version("--bigquery-table-name p.d.t --sampling-percentage 0.1") == {"requestLoggingConfig": config}
    body = "requestLoggingConfig: {bigqueryTableName: p.d.t, samplingPercentage: 0.1}"
    assert version("", body) == {"requestLoggingConfig": config}


def test_options_keep_the_type_of_variables() -> None:
    import numpy

    rows = numpy.array([[1, 2.5]])
    found = deployment("--origin x", "description: $text\ntest:\n  instances: $rows\n", rows=rows, text="hello")
    assert found.test == {"instances": [[1.0, 2.5]]}
    assert found.version.description == "hello"


@pytest.mark.parametrize(
    ("line", "body", "kind", "text"),
    [
        ("--origin x --modle iris", "", OptionError, "did you mean '--model'"),
        ("", "", OptionError, "--origin"),
        ("--origin x v1 v2", "", OptionError, "unexpected argument"),
        ("--origin x --framework pytorch", "", OptionError, "--framework"),
        ("--origin x --labels a", "", OptionError, "KEY=VALUE"),
        ("--origin x --accelerator count=1", "", OptionError, "--accelerator"),
        ("--origin x --args a", "", OptionError, "--image"),
        ("--origin x --min-nodes many", "", OptionError, "--min-nodes"),
        ("--origin x", "framewrok: XGBOOST", FieldError, "did you mean 'framework'"),
        ("--origin x", "state: READY", FieldError, "set by the service"),
        ("--origin x", "model: {defaultVersion: {}}", FieldError, "set by the service"),
        ("--origin x", "model: {regions: [us-east1]}", FieldError, "--regions"),
        ("--origin x", "model: {desription: a}", FieldError, "did you mean 'description'"),
        ("--origin x", "model: [iris]", FieldError, "expected a mapping with the fields of Model, got a list"),
        ("--origin x", "- a\n- b\n", CellError, "field: value"),
        ("--origin x", "a: [", CellError, "line"),
        ("--origin x", "description:\n\t- x", CellError, "tabs"),
        ("--origin x", "test: 5", InstancesError, "test"),
        ("--origin x", "test:\n  instance: []", InstancesError, "instances"),
        ("--origin x", "test:\n  instances: []", InstancesError, "no instances"),
        ("--origin x", "test:\n  instances: $rosw", CellError, "did you mean 'rows'"),
        ("--origin x --config nowhere.yaml", "", OptionError, "nowhere.yaml"),
    ],
)
def test_options_name_place_and_fix_of_bad_input(line: str, body: str, kind: type[AipError], text: str) -> None:
    with pytest.raises(kind) as caught:
        deployment(line, body, rows=[[1]])
    shown = caught.value.format_lines()
    assert text in "\n".join(shown)
    assert 1 <= len(shown) <= 3


@pytest.mark.parametrize("verb", VERBS)
def test_parser_of_every_command_has_help(verb: str) -> None:
    command = get_command(verb)
    with pytest.raises(HelpAsked) as caught:
        build_parser(command, command.name).parse(["--help"])
    assert command.help in str(caught.value)


def test_registry_has_a_command_for_every_verb() -> None:
    assert [get_command(verb).name for verb in VERBS] == list(VERBS)


def test_command_of_local_predict_loads_no_code_of_the_others() -> None:
    code = (
        "import sys; from aip_magics.commands.registry import get_command; get_command('local-predict');"
        "others = {'aip_magics.deploy', 'aip_magics.targets', 'aip_magics.storage', 'aip_magics.spec', 'http.client'};"
        "print(sorted(others & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("line", "variables", "where", "text", "fix"),
    [
        ("list --region mars", {}, "--region", "invalid region 'mars' for target local", "use one of global, "),
        (
            "list --region us-centrall1 --target aiplatform --project some-project",
            {},
            "--region",
            "invalid region 'us-centrall1' for target aiplatform",
            "did you mean 'us-central1'?",
        ),
        (
            "list --target vertex --project some-project --region europe-west12x",
            {},
            "--region",
            "invalid region 'europe-west12x' for target vertex",
            "did you mean 'europe-west12'?",
        ),
        (
            "list --target vertex --project some-project --region global",
            {},
            "--region",
            "target vertex has no global endpoint",
            "use a region: --region us-central1",
        ),
        (
            "deploy v1 --origin x --target vertex --project some-project --regions us-east1",
            {},
            "--regions",
            "target vertex has no global endpoint",
            "use a region: --region us-central1",
        ),
        (
            "list --region europe-west12",
            {},
            "--region",
            "invalid region 'europe-west12' for target local",
            "did you mean 'europe-west",
        ),
        (
            "list",
            {"AIP_MAGICS_REGION": "mars"},
            "region, from environment variable AIP_MAGICS_REGION",
            "invalid region 'mars' for target local",
            "use one of global, ",
        ),
    ],
)
def test_options_name_a_region_that_the_target_does_not_have(
    monkeypatch: pytest.MonkeyPatch, line: str, variables: dict[str, str], where: str, text: str, fix: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    verb, *words = line.split()
    args = build_parser(get_command(verb), verb).parse(words)
    with pytest.raises(OptionError) as caught:
        Context(Silent()).settings(args)
    assert (caught.value.where, caught.value.message) == (where, text)
    assert caught.value.fix.startswith(fix)

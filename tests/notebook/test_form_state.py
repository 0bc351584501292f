"""The form as a value: where its values come from, how choices follow each other, what is wrong, before any widget."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aip_magics import catalog, i18n, settings
from aip_magics.deploy import Deployment
from aip_magics.notebook.form import summary
from aip_magics.notebook.form.field_conversion import MAX_TEST_CHARACTERS
from aip_magics.notebook.form.fields import fields, get_field
from aip_magics.notebook.form.state import FormState
from aip_magics.render import html
from aip_magics.spec import AutoScaling, ManualScaling, MetricSpec, Model, RequestLoggingConfig, Version

New = Callable[..., FormState]


@pytest.fixture
def new(iris_export: Path) -> New:
    """Makes a form for a real model; keywords are fields of the Deployment, `region` and `target` settings."""

    def made(*, region: str | None = None, target: str | None = None, **fields: object) -> FormState:
        found = settings.resolve(region=region, target=target, project="my-project")
        return FormState.of(Deployment(**{"origin": str(iris_export), **fields}), found, "argument")

    return made


def test_form_state_is_prefilled_each_value_with_its_source(new: New) -> None:
    form = new(version=Version(description="from the line"), region="europe-west4")
    assert form.values["framework"] == "SCIKIT_LEARN"
    assert form.source("framework") == "detected from model.joblib"
    assert (form.values["model"], form.source("model")) == ("iris", "name of directory iris")
    assert (form.values["description"], form.source("description")) == ("from the line", "argument")
    assert (form.values["endpoint"], form.values["region"]) == ("regional", "europe-west4")
    assert form.source("endpoint") == "argument"
    assert form.values["machineType"] == "n1-standard-2"
    assert form.source("machineType") == "default of the regional endpoint"
    assert "scikit-learn" in form.source("frameworkVersion")
    assert form.can_deploy


def test_form_state_leaves_out_a_runtime_without_match_in_every_language(new: New) -> None:
    for name in i18n.LANGUAGES:
        i18n.use(name)
        try:
            assert new().values.get("runtimeVersion", "") == ""
        finally:
            i18n.use("en")


def test_form_state_does_not_send_derived_values_twice(new: New) -> None:
    form = new()
    assert form.deployment == form.base
    chosen = form.set("machineType", "mls1-c4-m2").set("machineType", "")
    assert chosen.deployment == form.base
    assert chosen.values["machineType"] == "mls1-c1-m2"


def test_form_state_takes_every_field_and_says_who_filled_it_in(new: New) -> None:
    form = new(target="aiplatform")
    for id, value in {
        "model": "flowers", "region": "asia-east1", "logging": True, "consoleLogging": True, "version": "v3",
        "replace": True, "description": "꽃", "trust": True, "framework": "XGBOOST", "runtimeVersion": "2.11",
        "pythonVersion": "3.7", "machineType": "mls1-c4-m2", "packageUris": "gs://b/x-1.tar.gz, gs://b/y-1.tar.gz",
        "predictionClass": "my.Predictor", "serviceAccount": "a@p.iam.gserviceaccount.com", "labels": "team=a,x=y",
        "minNodes": "0", "maxNodes": "4", "test": "- [1, 2]",
        "modelDescription": "all", "modelLabels": "of=model", "logTable": "p.d.t", "logShare": "0.1",
    }.items():  # fmt: skip
        form = form.set(id, value)
        assert form.source(id) == "chosen in the form"
    made = form.deployment
    assert made.model == Model(
        name="flowers", regions=("asia-east1",), onlinePredictionLogging=True, onlinePredictionConsoleLogging=True,
        description="all", labels={"of": "model"},
    )  # fmt: skip
    assert made.version == Version(
        name="v3", description="꽃", framework="XGBOOST", runtimeVersion="2.11", pythonVersion="3.7",
        machineType="mls1-c4-m2", packageUris=("gs://b/x-1.tar.gz", "gs://b/y-1.tar.gz"),
        predictionClass="my.Predictor", serviceAccount="a@p.iam.gserviceaccount.com", labels={"team": "a", "x": "y"},
        autoScaling=AutoScaling(0, 4), requestLoggingConfig=RequestLoggingConfig("p.d.t", 0.1),
    )  # fmt: skip
    assert (made.replace, made.trust, made.test) == (True, True, {"instances": [[1, 2]]})


def test_form_state_has_every_field_of_the_console(new: New) -> None:
    ids = [field.id for field in fields()]
    assert len(ids) == len(set(ids))
    assert all(field.label for field in fields())
    form = new()
    for field in fields():
        assert field.kind != "choice" or form.choices(field.id), field.id


def test_form_state_keeps_framework_runtime_and_python_together(new: New) -> None:
    form = new().set("framework", "SCIKIT_LEARN").set("frameworkVersion", "1.0.2")
    assert form.values["runtimeVersion"] == "2.11"
    assert form.choices("pythonVersion") == ("", *catalog.runtime("2.11").python)
    assert form.values["pythonVersion"] == "3.7"
    assert "Python of runtime 2.11" in form.source("pythonVersion")
    form = form.set("pythonVersion", "3.7").set("runtimeVersion", "1.4")
    assert form.choices("pythonVersion") == ("", *catalog.runtime("1.4").python)
    assert form.values["pythonVersion"] in catalog.runtime("1.4").python
    assert form.values["frameworkVersion"] == catalog.library_of(catalog.runtime("1.4"), "scikit-learn")
    oldest = catalog.runtimes()[-1]
    form = form.set("framework", "TENSORFLOW").set("runtimeVersion", oldest.version)
    assert form.values["runtimeVersion"] == oldest.version
    if oldest.sklearn is None:  # a runtime from before scikit-learn is no choice any more
        assert form.set("framework", "SCIKIT_LEARN").requested.get("runtimeVersion") is None


def test_form_state_offers_machine_types_and_regions_of_the_endpoint(new: New) -> None:
    form = new().set("machineType", "mls1-c4-m2").set("region", "us-east1")
    assert all(name.startswith("mls1-") for name in form.choices("machineType"))
    regional = form.set("endpoint", "regional")
    assert all(name.startswith("n1-") for name in regional.choices("machineType"))
    assert regional.values["machineType"] == "n1-standard-2"
    assert regional.values["region"] in catalog.regional_regions()
    assert regional.deployment.model.regions is None  # the endpoint has it
    assert regional.target.region == regional.values["region"]
    assert regional.set("endpoint", "global").target.region is None


def test_form_state_keeps_a_value_unknown_to_the_catalog_as_a_problem(new: New) -> None:
    form = new(version=Version(machineType="n2-monster-4"))
    assert "n2-monster-4" in form.choices("machineType")
    [problem] = form.problems_of("machineType")
    assert problem.severity == "error"
    assert not form.can_deploy
    assert form.set("machineType", "mls1-c1-m2").can_deploy


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("model", "1-iris"),
        ("version", "v-1"),
        ("packageUris", "code.zip"),
        ("predictionClass", "Predictor"),
        ("labels", "team"),
        ("modelLabels", "team"),
        ("logTable", "calls"),
        ("logShare", "some"),
        ("logShare", "nan"),
        ("minNodes", "two"),
        ("maxNodes", "-1"),
        ("test", "[[1, 2"),
        ("test", "[]"),
        ("origin", ""),
        ("origin", "nowhere"),
        ("origin", "~nobody-at-all/x"),
    ],
)
def test_form_state_puts_a_problem_beside_its_field_and_stops_the_deploy(new: New, id: str, value: str) -> None:
    form = new(origin="", version=Version()) if not value else new().set(id, value)
    assert [problem.severity for problem in form.problems_of(id)][:1] == ["error"], form.problems
    assert not form.can_deploy


def test_form_state_manual_scaling_replaces_the_automatic(new: New) -> None:
    form = new(version=Version(autoScaling=AutoScaling(1, 3, (MetricSpec("CPU_USAGE", 60),))))
    assert form.values["minNodes"] == "1"
    manual = form.set("scaling", "manual")
    assert [problem.field for problem in manual.problems if problem.severity == "error"] == ["nodes"]
    assert (manual.applies("nodes"), manual.applies("minNodes")) == (True, False)
    manual = manual.set("nodes", "2")
    assert manual.deployment.version.manualScaling == ManualScaling(2)
    assert manual.deployment.version.autoScaling is None
    # What the form has no field for comes back as it was.
    assert manual.set("scaling", "automatic").deployment.version.autoScaling == form.base.version.autoScaling


def test_form_state_keeps_what_the_form_has_no_field_for(new: New) -> None:
    base = new(
        version=Version(etag="x"), model=Model(labels={"a": "b"}), staging_bucket="gs://mine", skip=frozenset({"A02"})
    )
    made = base.set("description", "new").deployment
    assert (made.version.etag, made.model.labels, made.staging_bucket, made.skip) == (
        "x", {"a": "b"}, "gs://mine", {"A02"},
    )  # fmt: skip


def test_form_state_keeps_hidden_what_no_field_can_write(new: New) -> None:
    version = Version(labels={"a": "x,y"}, packageUris=("one,two.tar.gz",))
    form = new(version=version)
    assert form.requested.keys() == {"origin"}
    assert form.deployment.version == version
    assert form.set("labels", "a=b").deployment.version.labels == {"a": "b"}


def test_form_state_keeps_long_test_instances_hidden(new: New) -> None:
    test = {"instances": [[0.5] * 10] * MAX_TEST_CHARACTERS}
    form = new(test=test)
    assert "test" not in form.requested
    assert form.deployment.test == test
    assert form.set("test", "[[1]]").deployment.test == {"instances": [[1]]}


def test_form_state_gives_trust_to_files_and_not_to_a_form(new: New, booster_export: Path) -> None:
    form = new(trust=True)
    assert form.deployment.trust
    assert not form.set("origin", str(booster_export)).deployment.trust


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def test_form_state_neither_tests_nor_deploys_untrusted_code(new: New, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Evil()))
    form = new(origin=str(tmp_path), test={"instances": [[1]]})
    assert "U01" in [problem.id for problem in form.problems_of("origin")]
    assert not form.can_test
    assert not form.can_deploy
    assert "U01" not in [problem.id for problem in form.set("trust", True).problems]


def test_form_state_inspects_another_directory_at_once(new: New, booster_export: Path, tmp_path: Path) -> None:
    form = new().set("origin", str(booster_export))
    assert form.values["framework"] == "XGBOOST"
    (tmp_path / "later").mkdir()
    empty = form.set("origin", str(tmp_path / "later"))
    assert empty.problems_of("origin")
    shutil.copy(booster_export / "model.bst", tmp_path / "later")
    assert not empty.can_deploy
    assert empty.inspected_again().can_deploy


def test_form_state_texts_have_one_line_and_no_control_characters(new: New) -> None:
    form = new().set("description", "  two\nlines\x07\u2028three  ")
    assert form.deployment.version.description == "two lines three"
    assert new().set("description", "전각　공백").deployment.version.description == "전각　공백"


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("version.framework", "framework"),
        ("version.autoScaling.minNodes", "minNodes"),
        ("version.autoScaling", "scaling"),
        ("version.packageUris[1]", "packageUris"),
        ("model.joblib", "origin"),
        ("/tmp/iris", "origin"),
        ("version.container.image", ""),
        ("model.labels", "modelLabels"),
        ("version.requestLoggingConfig.bigqueryTableName", "logTable"),
        ("version.requestLoggingConfig.samplingPercentage", "logShare"),
        ("region", "endpoint"),
    ],
)
def test_form_state_findings_find_their_field(subject: str, field: str) -> None:
    assert get_field(subject) == field


def test_form_state_summary_tells_what_is_created_and_not_the_instances(new: New) -> None:
    form = new(test={"instances": [["secret-row"]]}).set("description", "<b>bold</b>")
    left = html.draw(summary.deployed(form))
    assert "secret-row" not in left
    assert "&lt;b&gt;bold" in left
    assert "<b>bold" not in left
    assert "%%aip_deploy" in left
    assert len(left.encode()) <= 4096
    assert "<script" not in left


def test_form_state_follows_the_target(new: New) -> None:
    form = new().set("machineType", "mls1-c4-m2").set("runtimeVersion", "2.11").set("region", "us-east1")
    vertex = form.set("target", "vertex").set("project", "my-project")
    assert (vertex.values["target"], vertex.source("target")) == ("vertex", "chosen in the form")
    assert vertex.target.name == "vertex"
    assert vertex.choices("region") == (*catalog.vertex_regions(), *catalog.newer_vertex_regions())
    assert vertex.choices("machineType") == tuple(row.name for row in catalog.vertex_machine_types())
    assert vertex.values["machineType"] == "n1-standard-2"
    assert (vertex.values["region"], vertex.target.region) == ("us-east1", "us-east1")
    assert vertex.deployment.model.regions is None  # the endpoint has it
    assert vertex.set("region", "europe-west12").target.region == "europe-west12"
    # AI Platform's own fields are off, each with the reason, and come back with their values.
    for id in ("runtimeVersion", "pythonVersion", "frameworkVersion", "packageUris", "predictionClass"):
        assert not vertex.applies(id)
        assert "Vertex AI" in vertex.unusable[id]
        assert id not in vertex.values or vertex.values[id] == ""
    assert vertex.deployment.version.runtimeVersion is None
    back = vertex.set("target", "local")
    assert back.deployment.version.runtimeVersion == "2.11"
    assert back.values["endpoint"] == "global"
    assert "region" not in back.requested or back.values["region"] in catalog.global_regions()


def test_form_state_names_a_missing_project_at_its_field(
    new: New, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for name in ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    form = new().set("target", "vertex")
    assert [each.message for each in form.problems_of("project")] == ["no project is set"]
    assert not form.can_deploy
    assert form.values["project"] == ""
    assert form.choices("region") == (*catalog.vertex_regions(), *catalog.newer_vertex_regions())
    wrong = form.set("project", "9 lives")
    assert [each.message for each in wrong.problems_of("project")] == ["invalid project ID '9 lives'"]
    right = wrong.set("project", "some-project")
    assert right.problems_of("project") == ()
    assert right.target.project == "some-project"


def test_form_state_rehearses_vertex_on_the_embedded_server(new: New) -> None:
    form = new().set("target", "vertex").set("project", "my-project")
    assert form.choices("endpoint") == ("regional", "embedded")
    assert not form.target.runs_here
    local = form.set("endpoint", "embedded")
    assert local.values["endpoint"] == "embedded"
    assert local.target.runs_here
    assert local.applies("predictionClass")  # the embedded server runs custom code
    assert not local.set("logTable", "p.d.t").applies("logTable")
    assert local.set("logTable", "p.d.t").deployment.version.requestLoggingConfig is None
    assert local.set("logTable", "p.d.t").set("endpoint", "regional").deployment.version.requestLoggingConfig
    assert not local.set("endpoint", "regional").target.runs_here
    assert form.set("target", "local").set("endpoint", "embedded").values["endpoint"] == "global"  # no such choice

"""Each rule: a real artifact or request that triggers it, and its nearest innocent neighbour that does not."""

import numpy
import pytest
import rule_cases_models
import xgboost
from rule_cases import CASES, REGIONAL, tree
from rule_cases_vertex import CASES as VERTEX_CASES

from aip_magics import checks

EVERY_CASE = [*CASES, *VERTEX_CASES]


@pytest.mark.parametrize(("id", "severity", "fix", "bad", "good"), EVERY_CASE, ids=[case[0] for case in EVERY_CASE])
def test_rule_finds_the_bad_and_passes_the_good(deployment, found, id, severity, fix, bad, good):
    findings = found(bad(deployment), id)
    assert findings, "the rule did not see it"
    assert findings[0].severity == severity
    assert fix in findings[0].fix
    assert findings[0].message
    assert findings[0].link.startswith("https://")
    assert found(good(deployment), id) == [], "a false alarm"


def test_rules_all_have_a_case():
    """Those of the try (T…), of trust (U…) and of one target have theirs in files of their own."""
    generic = {id for id, rule in checks.RULES.items() if rule.target is None}
    assert {case[0] for case in CASES} == {id for id in generic if id[0] not in "TU"}


def test_rules_find_nothing_in_good_deployments(deployment):
    for subject in (deployment(), deployment(**REGIONAL), deployment.cloud(), deployment.cloud(**REGIONAL)):
        assert checks.run(subject).findings == ()


def test_rule_of_machine_types_only_warns_of_an_unknown_n1_type(deployment, found):
    """The list of N1 types is remembered."""
    (finding,) = found(deployment(machineType="n1-standard-64", **REGIONAL), "S14")
    assert finding.severity == "warning"


def test_rules_about_the_cloud_say_so_locally(deployment, found):
    folder = deployment.folder(model_pkl=deployment.models.sklearn)
    (finding,) = found(deployment(folder), "A02")
    assert finding.message.startswith("served by this Python locally; in the cloud: scikit-learn")


def test_rules_find_wrong_answers_in_pickles_too(deployment, found):
    folder = deployment.folder(model_pkl=deployment.models.wrapper)
    (finding,) = found(deployment.cloud(folder), "R07")
    assert "returns wrong" in finding.message
    assert found(deployment.cloud(folder), "A02") == []  # said once


@pytest.mark.parametrize(
    ("objective", "species", "wrong"),
    [
        ("multi:softprob", [0, 1, 2] * 10, False),  # as many of each: the base scores are equal, and drop out
        ("multi:softmax", [0, 1, 2] * 10, False),
        ("multi:softprob", [0] * 20 + [1] * 7 + [2] * 3, True),
        ("binary:logistic", [0, 1] * 15, False),  # the base score is the 0.5 that an older reader takes it for
        ("binary:logistic", [0] * 20 + [1] * 10, True),
    ],
)
def test_rules_report_wrong_answers_only_where_the_base_score_counts(deployment, found, objective, species, wrong):
    classes = {"num_class": 3} if objective.startswith("multi") else {}
    rows = numpy.arange(60.0).reshape(30, 2)
    booster = xgboost.train({"objective": objective, "nthread": 1, **classes}, xgboost.DMatrix(rows, species), 2)
    folder = deployment.folder(model_bst=bytes(booster.save_raw("ubj")))
    assert bool(found(deployment.cloud(folder), "R07")) is wrong
    assert bool(found(deployment.cloud(folder), "A02")) is not wrong  # the version is told, once


@pytest.mark.slow
def test_rules_do_not_warn_of_installed_libraries_on_the_local_target(deployment, found, monkeypatch):
    """But what only the directory of the notebook has is one: a worker does not import from there."""
    installed = deployment.folder(model_pkl=rule_cases_models.of_module("hypothesis"))
    (finding,) = found(deployment(installed), "V10")
    assert (finding.severity, "in any runtime" in finding.message) == ("advice", True)
    beside = deployment.folder(model_pkl=rule_cases_models.of_module("my_steps"))
    (beside / "my_steps.py").write_text("class Doubler: pass")
    monkeypatch.chdir(beside)
    monkeypatch.syspath_prepend(str(beside))
    (finding,) = found(
        deployment(
            beside,
        ),
        "V10",
    )
    assert (finding.severity, "nor installed" in finding.message) == ("warning", True)


def test_rules_say_once_what_has_to_be_exported(deployment):
    for framework in (None, "TENSORFLOW"):
        report = checks.run(deployment(tree(deployment, "flowers.h5"), framework=framework))
        assert [finding.id for finding in report.errors] == ["A19"]


def test_rules_let_a_routine_have_any_files(deployment):
    subject = deployment(tree(deployment, "weights.h5"), predictionClass="m.C", packageUris=["gs://b/p-1.tar.gz"])
    assert checks.run(subject).findings == ()


def test_rules_tell_the_new_name_of_a_renamed_machine_type(deployment, found):
    assert "use mls1-c1-m2, the new name" in found(deployment(machineType="mls1-highmem-1"), "S14")[0].fix


@pytest.mark.parametrize(
    ("text", "prefix", "name"),
    [
        ("iris-model", "m", "iris_model"),
        ("my model.v2", "m", "my_model_v2"),
        ("1", "v", "v1"),
        ("2024-01", "m", "m_2024_01"),
        ("모델", "m", "model"),
        ("_x_", "m", "x"),
        ("café", "m", "cafe"),
        ("a" * 200, "m", "a" * 128),
    ],
)
def test_rules_propose_legal_names(text, prefix, name):
    assert checks.sanitize_name(text, prefix) == name

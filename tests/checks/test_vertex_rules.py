"""The rules about Vertex AI: when they are applied, and those that need more than a deployment."""

from __future__ import annotations

import dataclasses
import platform
import re

import pytest
from rule_cases_models import asked
from rule_cases_vertex import CASES, OWN, SKLEARN, served

from aip_magics import checks
from aip_magics.checks import BucketView
from aip_magics.checks.context import TrialResult
from aip_magics.checks.rules.trial_results import trial_rules
from aip_magics.targets.vertex.unused_rules import unused_rules

RULES = {id: rule for id, rule in {**checks.RULES, **checks.ONLINE_RULES}.items() if rule.target == "vertex"}
ELSEWHERE = {"V22", "V26", "V36", "V43"}  # below: online, about this machine, and of the trial


def applied(context):
    """The ids of the rules that were applied."""
    report = checks.run(context)
    return {*report.passed, *report.skipped, *(finding.id for finding in report.findings)}


def test_vertex_rules_all_have_a_case():
    assert {case[0] for case in CASES} | ELSEWHERE == set(RULES)


def test_vertex_rules_are_applied_to_vertex_only(deployment):
    for context in (deployment(), deployment.cloud(), deployment.cloud(region="us-central1")):
        assert not set(RULES) & applied(context)
    assert {id for id in RULES if id != "V22"} <= applied(deployment.vertex())


def test_vertex_rules_find_nothing_in_a_good_deployment(deployment):
    fields = {"machineType": "e2-standard-2", "autoScaling": {"minNodes": 1, "maxNodes": 2}, "serviceAccount": "a@b"}
    for context in (
        deployment.vertex(),
        deployment.vertex(model={"name": "iris-model"}, name="v1-2", test=asked([5.1, 3.5]), **fields),
        served(deployment),
        served(deployment, SKLEARN),
    ):
        assert checks.run(context).findings == ()


def test_vertex_unused_rules_are_generic_rules_with_a_reason():
    known = {**checks.RULES, **checks.ONLINE_RULES}
    for id, reason in unused_rules().items():
        assert known[id].target is None, id
        assert len(reason) > 20, id
    named = {id for reason in unused_rules().values() for id in re.findall(r"\bV\d\d\b", reason)}
    assert named <= set(RULES)


def test_vertex_unused_rules_are_skipped_with_the_reason(deployment):
    report = checks.run(deployment.vertex(runtimeVersion="1.99", machineType="e2-standard-2"))
    for id in ("S10", "S14", "A02", "F01"):
        assert report.skipped[id] == checks.Skipped(unused_rules()[id])


@pytest.mark.parametrize(
    ("machine", "own", "count"), [("arm64", True, 1), ("aarch64", True, 1), ("x86_64", True, 0), ("arm64", False, 0)]
)
def test_vertex_rule_of_images_for_arm(deployment, found, monkeypatch, machine, own, count):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    findings = found(served(deployment, OWN if own else SKLEARN), "V26")
    assert [(one.severity, "--platform linux/amd64" in one.fix) for one in findings] == [("advice", True)] * count


@pytest.mark.parametrize(("size", "dedicated"), [(1_600_000, True), (11_000_000, False)])
def test_vertex_rule_of_the_size_of_predictions(deployment, size, dedicated):
    context = deployment.vertex()
    large = dataclasses.replace(context, trial=TrialResult(predictions=["x" * (size // 10)] * 10))
    outcome = checks.RULES["V36"].apply(large)
    assert isinstance(outcome, checks.Failed)
    assert "fewer instances per request" in outcome.findings[0].fix
    assert ("a dedicated endpoint takes 10 MB" in outcome.findings[0].fix) is dedicated
    small = dataclasses.replace(context, trial=TrialResult(predictions=["x" * 1000] * 1500))
    assert checks.RULES["V36"].apply(small) == checks.Passed()


def test_vertex_rule_of_the_memory_of_a_trial(deployment):
    context = deployment.vertex(machineType="n1-highcpu-4")
    large = dataclasses.replace(context, trial=TrialResult(predictions=[1], memory_bytes=4_000_000_000))
    outcome = checks.RULES["V43"].apply(large)
    assert isinstance(outcome, checks.Failed)
    assert outcome.findings[0].fix == "machineType: n1-highcpu-8"
    small = dataclasses.replace(context, trial=TrialResult(predictions=[1], memory_bytes=3_000_000_000))
    assert checks.RULES["V43"].apply(small) == checks.Passed()


def test_vertex_rules_of_the_trial_are_applied_with_the_others(deployment):
    assert {"V36", "V43", "T01"} <= set(trial_rules(deployment.vertex()))
    assert not set(RULES) & set(trial_rules(deployment.cloud()))


class View:
    """A service whose bucket is there, or None."""

    def __init__(self, *regions, location=None):
        self.place = BucketView("b", location, "123", regions) if location is not None else None

    def bucket(self):
        return self.place


@pytest.mark.parametrize(
    ("location", "regions", "severity"),
    [
        ("us-central1", (), None),
        ("us-east1", (), "error"),
        ("eu", (), "error"),
        ("us", (), "warning"),
        ("nam4", (), "warning"),
        ("us", ("us-central1", "us-west1"), "warning"),
        ("us", ("us-east1", "us-west1"), "error"),
    ],
)
def test_vertex_rule_of_the_region_of_the_bucket(deployment, location, regions, severity):
    outcome = checks.ONLINE_RULES["V22"].apply(deployment.vertex(), View(*regions, location=location))
    if severity is None:
        assert outcome == checks.Passed()
    else:
        assert isinstance(outcome, checks.Failed)
        assert (outcome.findings[0].severity, outcome.findings[0].subject) == (severity, "version.deploymentUri")
        assert "--staging-bucket" in outcome.findings[0].fix


@pytest.mark.parametrize("view", [View(), View(location="")])
def test_vertex_rule_of_the_region_of_the_bucket_is_skipped_where_it_is_unknown(deployment, view):
    assert isinstance(checks.ONLINE_RULES["V22"].apply(deployment.vertex(), view), checks.Skipped)


def test_vertex_rules_are_named_after_their_function_and_documented():
    for id, rule in RULES.items():
        assert rule.name == rule.check.__name__.replace("_", "-") or rule.check.__name__ == "checked", id
        assert rule.title.endswith("."), id


def test_vertex_rules_report_an_accelerator_for_scikit_learn_once(deployment):
    context = deployment.vertex(machineType="n1-standard-4", acceleratorConfig={"type": "NVIDIA_TESLA_T4", "count": 1})
    assert [finding.id for finding in checks.run(context).findings] == ["V29"]


@pytest.mark.parametrize(
    ("image", "count"),
    [
        ("us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:1", 0),
        ("europe-docker.pkg.dev/vertex-ai-restricted/prediction/tf_opt-cpu.2-15:latest", 0),
        ("us-docker.pkg.dev/vertex-ai-of-mine/r/i", 1),
        ("gcr.io/vertex-ai/i", 1),
    ],
)
def test_vertex_rule_of_the_region_of_the_image_exempts_those_of_google(deployment, found, image, count):
    assert len(found(served(deployment, image), "V23")) == count

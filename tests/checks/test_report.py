import dataclasses
import re
import sys
import time

import pytest

from aip_magics import artifacts, checks
from aip_magics.checks import rule
from aip_magics.errors import ChecksFailed, OptionError


def test_report_has_findings_with_errors_first(deployment):
    subject = deployment(
        deployment.folder(model_pkl=deployment.models.sklearn), model={"name": "a-b"}, labels={"A": "x"}
    )
    report = checks.run(subject)
    assert [finding.severity for finding in report.findings] == ["error", "warning", "advice"]
    assert [finding.id for finding in report.findings] == ["M02", "F02", "A02"]
    assert report.errors == report.findings[:1]
    assert report.findings[0].subject == "model.name"
    generic = {id for id, rule in checks.RULES.items() if rule.target is None}
    assert set(report.passed) | set(report.skipped) | {"M02", "F02", "A02"} == generic


def test_report_tells_why_rules_cannot_decide(deployment):
    report = checks.run(deployment())
    assert report.skipped["R01"].reason == "no test instances were given"
    remote = checks.run(dataclasses.replace(deployment(), model_dir=None))
    assert remote.skipped["S05"].reason == "the model directory is not on this machine"
    assert remote.errors == ()


def test_report_skips_a_version_that_cannot_be_read_with_the_reason(deployment):
    report = checks.run(deployment(deployment.folder(model_joblib=b"\x04\x22\x4d\x18" + bytes(50))))
    assert "corrupted lz4 data" in report.skipped["A02"].reason


def test_report_raises_one_error_with_its_where_and_fix(deployment):
    with pytest.raises(ChecksFailed) as caught:
        checks.run(deployment(model={"name": "a-b"})).raise_on_errors()
    assert (caught.value.where, caught.value.fix) == ("model.name", "use a_b")
    assert caught.value.message.endswith("(M02 invalid-resource-name)")
    assert caught.value.findings[0].id == "M02"


def test_report_raises_all_errors_at_once(deployment):
    report = checks.run(deployment(model={"name": "a-b"}, runtimeVersion="2.10", pythonVersion="3.11"))
    with pytest.raises(ChecksFailed) as caught:
        report.raise_on_errors()
    first, *lines = caught.value.message.splitlines()
    assert first == "3 checks failed"
    assert [line.split()[0] for line in lines] == ["M02", "S10", "S11"]


def test_report_does_not_raise_warnings(deployment):
    report = checks.run(deployment(labels={"A": "x"}))
    report.raise_on_errors()
    assert [finding.severity for finding in report.findings] == ["warning"]


def test_report_leaves_a_skipped_rule_out_and_says_so(deployment):
    report = checks.run(deployment(model={"name": "a-b"}), skip=["M02"])
    assert report.findings == ()
    assert report.skipped["M02"].reason == "skipped with --skip"


def test_report_refuses_to_skip_an_unknown_rule(deployment):
    with pytest.raises(OptionError, match="unknown check 'M99'"):
        checks.run(deployment(), skip=["M99"])


def test_rules_are_documented():
    for one in checks.RULES.values():
        assert one.title.endswith("."), one.id
        assert one.link.startswith("https://"), one.id


def test_rules_cannot_share_an_id_or_a_name():
    with pytest.raises(ValueError, match="M02"):
        rule.rule("M02", "another-name", link="https://example.org")(lambda subject: [])
    with pytest.raises(ValueError, match="library-too-new"):
        rule.rule("Z99", "library-too-new", link="https://example.org")(lambda subject: [])


def test_rules_have_a_name_of_their_own_which_their_function_has_too():
    rules = [*checks.RULES.values(), *checks.ONLINE_RULES.values()]
    assert len({one.name for one in rules}) == len(rules)
    for one in rules:
        assert re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)+", one.name), one.id


def test_report_skips_a_rule_by_its_name(deployment):
    subject = deployment(model={"name": "a-b"})
    report = checks.run(subject, skip=["invalid-resource-name"])
    assert (report.findings, report.skipped["M02"].reason) == ((), "skipped with --skip")
    assert checks.rule_ids(["library-too-new", "M01", "quota-exceeded"]) == {"A02", "M01", "S25"}
    with pytest.raises(OptionError) as caught:
        checks.run(subject, skip=["invalid-resource-nam"])
    assert caught.value.fix == "did you mean 'invalid-resource-name'?"


def test_report_findings_have_the_name_of_their_rule(deployment):
    [found] = checks.run(deployment(model={"name": "a-b"})).to_json()["findings"]
    assert (found["id"], found["name"]) == ("M02", "invalid-resource-name")


def test_rule_outcomes_are_types(deployment):
    subject = deployment(model={"name": "a-b"})
    assert isinstance(checks.RULES["M02"].apply(subject), checks.Failed)
    assert isinstance(checks.RULES["S21"].apply(subject), checks.Passed)
    assert isinstance(checks.RULES["R01"].apply(subject), checks.Skipped)


@pytest.mark.slow
def test_checks_import_no_framework(deployment, tmp_path):
    """In a process of its own: the tests themselves import the frameworks."""
    import subprocess

    code = (
        "import pathlib, sys\n"
        "from aip_magics import artifacts, checks\n"
        "from aip_magics.spec import Model, Version\n"
        "found = artifacts.inspect_model_dir(pathlib.Path(sys.argv[1]))\n"
        "assert checks.run(checks.CheckContext(Model(name='a'), Version(name='v1'), found)).passed\n"
        "print([name for name in ('sklearn', 'xgboost', 'numpy', 'joblib', 'requests', 'yaml') if name in sys.modules])"
    )
    env = {"PYTHONPATH": str(rule.__file__).split("aip_magics")[0]}
    done = subprocess.run(
        [sys.executable, "-c", code, str(deployment.folder())], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.benchmark
def test_checks_benchmark_of_a_model(deployment, record_property):
    folder = deployment.folder(model_pkl=deployment.models.sklearn)
    subject = deployment(folder)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        report = checks.run(dataclasses.replace(subject, model_dir=artifacts.inspect_model_dir(folder)))
        times.append(time.perf_counter() - start)
    median = sorted(times)[10]
    record_property("median_ms", median * 1000)
    assert report.findings

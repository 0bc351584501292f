"""Online rules: against a view that answers as a service would, and over HTTP against the embedded server."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import google.auth
import pytest
from google.oauth2.credentials import Credentials

from aip_magics import checks, settings
from aip_magics.checks import BucketView
from aip_magics.deploy.service_view import TargetView
from aip_magics.errors import OptionError, PermissionDenied
from aip_magics.spec import Model, Version
from aip_magics.targets import choose, local

AGENT = "service-123@cloud-ml.google.com.iam.gserviceaccount.com"
OWN, FOREIGN = BucketView("b", "us-central1", "123"), BucketView("b", "us-central1", "999")
READY = Version(name="projects/p/models/iris/versions/v1", state="READY")


@dataclasses.dataclass
class View:
    """A service with these answers."""

    there: Model | None = None
    made: tuple[Version, ...] = ()
    models: int = 0
    operations: int = 0
    granted: frozenset[str] = frozenset({"ml.versions.create", "ml.versions.predict"})
    place: BucketView | None = OWN
    readers: frozenset[str] = frozenset()

    def model(self):
        return self.there

    def versions(self):
        return self.made

    def model_count(self):
        return self.models

    def running(self):
        return self.operations

    def permissions(self, wanted):
        return self.granted & set(wanted)

    def service_agent(self):
        return AGENT

    def bucket(self):
        return self.place

    def bucket_readers(self):
        return self.readers


IRIS = Model(name="projects/p/models/iris", regions=("us-central1",))
CASES = [
    # id, severity, text of the fix, the service that triggers it, its innocent neighbour
    ("M01", "warning", "another model", View(Model(name="iris", regions=("us-east1",))), View(IRIS)),
    ("S24", "advice", "--replace", View(IRIS, (READY,)), View(IRIS, (READY.replace(name="v10"),))),
    ("S24", "error", "wait", View(IRIS, (READY.replace(state="DELETING"),)), View(IRIS)),
    ("S25", "error", "wait", View(operations=10), View(operations=8)),
    ("S25", "warning", "wait", View(operations=9), View(operations=0)),
    ("S25", "error", "delete unused models", View(models=100), View(IRIS, models=100)),
    ("S25", "error", "delete unused versions", View(IRIS, (READY.replace(name="x"),) * 200), View(IRIS, (READY,) * 2)),
    ("R14", "error", "roles/ml.developer", View(IRIS, granted=frozenset()), View(IRIS)),
    (
        "S07",
        "warning",
        f"--member=serviceAccount:{AGENT} --role=roles/storage.objectViewer",
        View(place=FOREIGN),
        View(),
    ),
    (
        "S07",
        "warning",
        "gcloud storage buckets add-iam",
        View(place=FOREIGN),
        View(place=FOREIGN, readers=frozenset({f"serviceAccount:{AGENT}"})),
    ),
    (
        "S07",
        "warning",
        "gcloud storage buckets add-iam",
        View(place=FOREIGN),
        View(place=FOREIGN, readers=frozenset({"allUsers"})),
    ),
    (
        "O01",
        "advice",
        "--staging-bucket",
        View(place=BucketView("b", "eu", "123")),
        View(place=BucketView("b", "us", "123")),
    ),
    ("O01", "advice", "--staging-bucket", View(place=BucketView("b", "us-east1", "123")), View(place=None)),
]


@pytest.fixture
def subject(deployment):
    return deployment.cloud(model={"regions": ["us-central1"]}, deploymentUri="gs://b/iris/v1/")


@pytest.mark.parametrize(("id", "severity", "fix", "bad", "good"), CASES, ids=[case[0] for case in CASES])
def test_online_rule_finds_the_bad_and_passes_the_good(subject, id, severity, fix, bad, good):
    findings = [one for one in checks.run_online(subject, bad).findings if one.id == id]
    assert findings, "the rule did not see it"
    assert findings[0].severity == severity
    assert fix in findings[0].fix
    assert findings[0].link.startswith("https://")
    assert [one for one in checks.run_online(subject, good).findings if one.id == id] == [], "a false alarm"


def test_online_rules_all_have_a_case_and_documentation():
    assert {case[0] for case in CASES} == {id for id, rule in checks.ONLINE_RULES.items() if rule.target is None}
    assert not set(checks.ONLINE_RULES) & set(checks.RULES)
    assert all(rule.title.endswith((".", ":")) for rule in checks.ONLINE_RULES.values())


def test_online_rules_tell_quotas_of_the_cloud_as_advice_on_the_local_target(deployment):
    full = View(models=100, operations=10)
    for fields, severity in (({}, "advice"), ({"machineType": "mls1-c1-m2"}, "error")):
        [finding] = [one for one in checks.run_online(deployment(**fields), full).findings if one.id == "S25"]
        assert (finding.severity, finding.subject) == (severity, "models")


def test_online_rules_find_nothing_in_a_good_service(subject):
    assert checks.run_online(subject, View(IRIS)).findings == ()


def test_online_rules_name_what_differs_in_an_existing_model_with_its_fix(subject):
    asked = Model("iris", "mine", onlinePredictionLogging=False, labels={"team": "a"})
    subject = dataclasses.replace(subject, model=asked)
    there = IRIS.replace(description="theirs", labels={"team": "b", "x": "y"})
    found = checks.run_online(subject, View(there), only=["M01"]).findings
    assert [one.subject for one in found] == ["model.description", "model.labels"]
    assert "team=b,x=y" in found[1].message
    assert [one.fix.split(" --")[-1] for one in found] == ["description …", "update-labels …"]
    assert checks.run_online(subject, View(asked)).findings == ()


def test_online_rules_are_skipped_with_the_reason_the_service_gives(subject):
    class Closed(View):
        def service_agent(self):
            raise PermissionDenied("ml.projects.getConfig is denied", code=403, status="PERMISSION_DENIED")

    report = checks.run_online(subject, Closed(IRIS))
    assert "getConfig is denied" in report.skipped["S07"].reason
    assert report.findings == ()


def test_online_rules_and_offline_rules_share_skip(subject):
    assert checks.run_online(subject, View(operations=10), skip=["S25", "M02"]).findings == ()
    assert checks.run(subject, skip=["S25"]).errors == ()
    with pytest.raises(OptionError, match="unknown check 'S99'"):
        checks.run_online(subject, View(), skip=["S99"])


def test_online_rules_are_all_answered_by_the_embedded_server(embedded: Path, monkeypatch: pytest.MonkeyPatch):
    """A compatible endpoint is the other end of the target aiplatform: every call goes over HTTP."""
    state = local.start(embedded)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "those of the next line")
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(token=state.token), None))
    where = {"endpoint": state.url, "storage_endpoint": state.url, "project": "my-project"}
    target = choose(settings.resolve(target="aiplatform", **where))
    target.connect()
    model = target.client.create_model(Model(name="iris", regions=("us-central1",)))
    view = TargetView(target, model, [], "gs://my-bucket/iris/v1/")
    assert view.bucket() is None
    target.google_storage_client.create_bucket("my-bucket", location="us-east1")
    assert view.bucket().location == "us-east1"
    assert view.bucket().project_number.isdecimal()
    assert view.service_agent().endswith("@cloud-ml.google.com.iam.gserviceaccount.com")
    assert view.permissions(["ml.versions.create", "ml.versions.predict"]) == {
        "ml.versions.create",
        "ml.versions.predict",
    }
    assert (view.model_count(), view.running()) == (1, 0)
    subject = checks.CheckContext(model, Version(name="v1"), target=checks.TargetFacts("aiplatform", None, state.url))
    report = checks.run_online(subject, view)
    assert [finding.id for finding in report.findings] == ["O01"]


def test_online_rules_ask_nothing_of_the_embedded_server_as_local_target(deployment):
    """What connecting has fetched is all that is needed: a deploy is not slowed down."""

    class Silent(View):
        def _refuse(self, *_):
            raise AssertionError("asked")

        model_count = running = permissions = service_agent = bucket = bucket_readers = _refuse

    subject = deployment(model={"regions": ["us-central1"]}, deploymentUri="gs://b/iris/v1/")
    start = time.perf_counter()
    report = checks.run_online(subject, Silent(IRIS, (READY,)))
    assert time.perf_counter() - start < 0.02
    assert [finding.id for finding in report.findings] == ["S24"]

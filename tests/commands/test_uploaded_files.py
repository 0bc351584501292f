"""What of a project directory a deployment uploads, and how large a model the embedded server takes."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter

from aip_magics import settings
from aip_magics.checks import Report
from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import ChecksFailed, FailedPrecondition, OptionError
from aip_magics.events import Note, StepFinished
from aip_magics.spec import Model, Version
from aip_magics.storage import GsUri, list_objects
from aip_magics.targets import choose

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
INSTANCES = "test:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]\n"


@pytest.fixture
def project(tmp_path: Path, iris_export: Path) -> Path:
    """The directory of a project with its model, and all that lies in one."""
    folder = tmp_path / "iris project"
    shutil.copytree(iris_export, folder)
    for name, text in {
        "GCP.key": json.dumps({"type": "service_account", "private_key": PEM}),
        "conf/deploy key.pem": PEM,
        "data/train.csv": "1,2,3\n" * 50_000,
        "work.ipynb": "{}",
        "venv/pyvenv.cfg": "home = /usr/bin",
        "venv/bin/activate": "x",
        "notes.txt": "x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(reporter: RecordingReporter, line: str, body: str | None = None) -> Any:
    verb, *words = shlex.split(line)
    command = get_command(verb)
    return command.run(build_parser(command, verb).parse(words), body, Context(reporter))


def check(line: str) -> Report:
    report = run(RecordingReporter(), f"check {line}")
    assert isinstance(report, Report)
    return report


def uploaded(uri: str) -> set[str]:
    return set(list_objects(choose(settings.resolve()).storage_client, GsUri.parse(uri)))


def test_deploy_leaves_keys_out_and_says_so(embedded: Path, project: Path) -> None:
    reporter = RecordingReporter()
    version = run(reporter, f"deploy v1 --model iris --origin {shlex.quote(str(project))}", INSTANCES)
    names = uploaded(version.deploymentUri)
    assert names == {
        "model.joblib", "data/train.csv", "work.ipynb", "venv/pyvenv.cfg", "venv/bin/activate", "notes.txt"
    }  # fmt: skip
    [finished] = [event for event in reporter.of(StepFinished) if event.step == "upload"]
    assert "not uploaded: GCP.key, conf/deploy key.pem" in finished.summary
    warnings = " ".join(event.text for event in reporter.of(Note) if event.level == "warning")
    assert "D21 skipped-keys: 2 files not uploaded" in warnings
    assert "D22 project-files" in warnings
    assert "venv/ (2 files, " in warnings


def test_deploy_does_not_upload_what_gcloudignore_excludes(embedded: Path, project: Path) -> None:
    """The lines that the fixes name leave nothing to warn of, and the model is uploaded without these files."""
    origin = shlex.quote(str(project))
    for id in ("D21", "D22"):
        [finding] = [finding for finding in check(origin).findings if finding.id == id]
        _, _, patterns = finding.fix.partition(".gcloudignore: ")
        with (project / ".gcloudignore").open("a") as file:
            file.writelines(f"{line}\n" for line in patterns.partition(";")[0].split())
        assert id not in {finding.id for finding in check(origin).findings}
    version = run(RecordingReporter(), f"deploy v1 --model iris --strict --origin {origin}", INSTANCES)
    assert uploaded(version.deploymentUri) == {"model.joblib", "notes.txt"}
    same = run(RecordingReporter(), f"deploy v1 --model iris --origin {origin}")  # nothing differs: it is kept
    assert same.createTime == version.createTime


def test_deploy_uploads_keys_that_are_included(embedded: Path, project: Path) -> None:
    origin = shlex.quote(str(project))
    [finding] = [finding for finding in check(origin).findings if finding.id == "D21"]
    include = finding.fix[finding.fix.index("--include") :]
    version = run(RecordingReporter(), f"deploy v1 --model iris --origin {origin} {include}")
    assert {"GCP.key", "conf/deploy key.pem"} < uploaded(version.deploymentUri)
    # Without the option, the version has files that are not uploaded any more: they are deleted.
    run(RecordingReporter(), f"deploy v1 --replace --model iris --origin {origin}")
    assert not {"GCP.key", "conf/deploy key.pem"} & uploaded(version.deploymentUri)


def test_upload_leaves_keys_out_unless_they_are_named(embedded: Path, project: Path) -> None:
    reporter = RecordingReporter()
    origin = shlex.quote(str(project))
    run(reporter, f"upload {origin} gs://my-bucket/iris")
    assert not {"GCP.key", "conf/deploy key.pem"} & uploaded("gs://my-bucket/iris")
    told = [event.text for event in reporter.of(Note) if event.level == "warning"]
    assert len(told) == 2
    assert "--include GCP.key" in told[0]
    run(RecordingReporter(), f"upload {origin} gs://my-bucket/iris --include GCP.key")
    assert "GCP.key" in uploaded("gs://my-bucket/iris")
    run(RecordingReporter(), f"upload {shlex.quote(str(project / 'GCP.key'))} gs://my-bucket/key")
    assert uploaded("gs://my-bucket/key") == {"GCP.key"}


def test_upload_of_a_hidden_file_takes_the_fix(embedded: Path, project: Path) -> None:
    (project / ".vocabulary").write_text("x")
    line = f"upload {shlex.quote(str(project / '.vocabulary'))} gs://my-bucket/hidden"
    with pytest.raises(OptionError, match="hidden") as refused:
        run(RecordingReporter(), line)
    run(RecordingReporter(), f"{line} {refused.value.fix.removeprefix('add ')}")
    assert uploaded("gs://my-bucket/hidden") == {".vocabulary"}


@pytest.mark.slow
def test_check_names_a_model_that_gcloudignore_excludes(project: Path) -> None:
    (project / ".gcloudignore").write_text("*.joblib\n")
    report = check(shlex.quote(str(project)))
    assert [finding.id for finding in report.errors] == ["D23"]
    (project / ".gcloudignore").write_text("")  # as the fix says
    assert check(shlex.quote(str(project))).errors == ()


def test_check_excludes_one_of_two_models(project: Path) -> None:
    (project / "model.pkl").write_bytes(b"an old one")
    assert "A06" in [finding.id for finding in check(shlex.quote(str(project))).errors]
    (project / ".gcloudignore").write_text("model.pkl\n")
    report = run(RecordingReporter(), f"check {shlex.quote(str(project))}", INSTANCES)
    assert report.errors == ()
    assert "a local trial would load model.pkl" in report.skipped["T01"].reason


def test_limits_of_the_cloud_are_told_by_the_embedded_server(embedded: Path, project: Path) -> None:
    for number in range(1000):
        (project / f"part{number}").touch()
    origin = shlex.quote(str(project))
    with pytest.raises(ChecksFailed, match="maximum is 1000"):
        run(RecordingReporter(), f"deploy --model iris --origin {origin} --machine-type mls1-c1-m2")
    reporter = RecordingReporter()
    version = run(reporter, f"deploy v1 --model iris --origin {origin}", INSTANCES)
    assert (version.state, version.machineType) == ("READY", "mls1-c1-m2")
    assert any("in the cloud: the directory has 1006 files" in event.text for event in reporter.of(Note))
    client = choose(settings.resolve()).client
    requested = Version(name="v2", deploymentUri=version.deploymentUri, machineType="mls1-c1-m2")
    with pytest.raises(FailedPrecondition, match="1006 files, which exceeds"):
        client.create_version("iris", requested)
    client.wait(client.create_version("iris", requested.replace(machineType=None)))
    assert client.get_version("iris", "v2").machineType == "mls1-c1-m2"
    with pytest.raises(ChecksFailed, match="maximum is 1000"):
        run(RecordingReporter(), f"check {origin} --target aiplatform --project my-project").raise_on_errors()


def test_limit_of_a_model_s_size_is_enforced_for_a_requested_machine_type(project: Path) -> None:
    with (project / "weights").open("wb") as file:
        file.truncate(532_000_000)  # sparse: takes no room on the disk
    origin = shlex.quote(str(project))
    [finding] = [finding for finding in check(origin).findings if finding.id == "S05"]
    assert finding.severity == "advice"
    assert finding.message.startswith("accepted by the embedded server; in the cloud: the total size")
    for chosen in ("--machine-type mls1-c1-m2", "--target aiplatform --project my-project"):
        assert "S05" in {finding.id for finding in check(f"{origin} {chosen}").errors}
    with (project / "weights").open("wb") as file:
        file.truncate(11 * 1000**3)
    assert "S05" not in {finding.id for finding in check(origin).errors}


def test_quotas_are_advice_of_the_embedded_server(embedded: Path, iris_export: Path) -> None:
    target = choose(settings.resolve())
    target.connect()
    for number in range(100):
        target.client.create_model(Model(name=f"m{number}"))
    reporter = RecordingReporter()
    run(reporter, f"deploy --model iris --origin {shlex.quote(str(iris_export))}")
    assert any("in the cloud: 100 in use; the maximum is 100" in event.text for event in reporter.of(Note))

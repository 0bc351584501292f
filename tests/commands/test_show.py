"""`--show`: the shown lines are run, and do what the command would have done; `--dry-run` names the same requests."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from resource_lines import Lines
from shown_scripts import PROGRAMS, ROOT, SHELL, available, run

from aip_magics import settings
from aip_magics.client import Request
from aip_magics.commands.common.options import SCRIPT_FORMATS
from aip_magics.commands.show import DryRun, render_script
from aip_magics.commands.show.planned_calls import Address
from aip_magics.errors import OptionError, StorageError
from aip_magics.storage import GsUri, find_bucket, list_objects
from aip_magics.targets import choose, local

CLOUD = "--target aiplatform --project some-project"


@pytest.fixture
def aip(deployed: Path) -> Lines:
    return Lines(deployed)


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_prints_lines_that_do_the_same(aip: Lines, form: str, iris_export: Path, tmp_path: Path) -> None:
    available(form)
    (tmp_path / "rows.json").write_text("[5.1, 3.5, 1.4, 0.2]\n[6.7, 3.0, 5.2, 2.3]\n")
    shown = [
        aip(f"{line} --show {form}", body)
        for line, body in (
            (
                f"deploy v1 --model shown --origin {iris_export} --model-labels team=a --enable-console-logging "
                "--bigquery-table-name p.d.t --sampling-percentage 0.5",
                'test: {instances: [[6.7, 3.0, 5.2, 2.3]]}\nmodel: {description: "it\'s a model"}',
            ),
            ("describe v1 --model shown", None),
            (f"predict --model iris --version v1 --json-instances {tmp_path / 'rows.json'}", None),
            ('create-model plain --description "it\'s $HOME" --labels a=b,c=d', None),
            (
                "create-version second --model shown --origin gs://aip-local-aiplatform/shown/v1/ --labels k=v",
                "autoScaling: {minNodes: 0, maxNodes: 2}",
            ),
            ("set-default second --model shown", None),
            ("update second --model shown --description new --clear-labels --update-labels x=y --max-nodes 3", None),
            ("list", None),
            ("list --model shown", None),
            ("describe second --model shown", None),
            ("operations", None),
            ("operations describe " + aip("operations")[0].id, None),
            ("wait " + aip("operations")[0].id, None),
            ("cancel " + aip("operations")[0].id, None),
            ("delete v1 --model shown", None),
        )
    ]
    state = local.running(aip.journal.data_dir)
    assert state is not None
    assert state.token not in "".join(shown)
    output = run(PROGRAMS[form], "\n".join(shown), tmp_path)
    assert "[2]" in output  # the deployed version predicts
    assert state.token not in output
    assert "p.d.t" in output  # v1 is described before it is deleted
    made = aip("describe --model shown")
    assert (made.description, made.labels, made.onlinePredictionConsoleLogging) == ("it's a model", {"team": "a"}, True)
    assert aip("describe --model plain").description == "it's $HOME"
    assert aip("describe --model plain").labels == {"a": "b", "c": "d"}
    (version,) = aip("list --model shown")  # v1 is deleted
    assert (version.id, version.isDefault, version.description, version.labels) == ("second", True, "new", {"x": "y"})
    assert (version.autoScaling.minNodes or 0, version.autoScaling.maxNodes) == (0, 3)


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_prints_a_regional_endpoint_of_the_embedded_server(aip: Lines, form: str, tmp_path: Path) -> None:
    available(form)
    shown = [
        aip(f"{line} --region us-east1 --show {form}") for line in ("create-model far", "list", "describe --model far")
    ]
    run(PROGRAMS[form], "\n".join(shown), tmp_path)
    assert [model.id for model in aip("list --region us-east1")] == ["far"]
    assert [model.id for model in aip("list")] == ["iris"]


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_describe_command_prints_what_gcloud_prints(aip: Lines, tmp_path: Path) -> None:
    aip("update v1 --model iris --update-labels b=x,a=y", "description: 'two\n\n  lines'")
    for line in ("describe v1 --model iris", "describe --model iris", "operations describe " + aip("operations")[0].id):
        theirs = run(SHELL, aip(f"{line} --show gcloud"), tmp_path)
        ours = subprocess.run(
            [sys.executable, "-m", "aip_magics", *line.split()],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        assert ours.stdout.splitlines() == [row for row in theirs.splitlines() if not row.startswith("Using endpoint")]


def test_dry_run_names_the_requests_and_sends_nothing(home: Path) -> None:
    aip = Lines(home)
    dry = aip("create-model m --dry-run")
    assert isinstance(dry, DryRun)
    (request,) = dry.requests
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:PORT/v1/projects/aip-local/models")
    assert request.body == {"regions": ["us-central1"], "name": "m"}
    assert (
        aip("update v1 --model m --max-nodes 2 --dry-run")
        .requests[0]
        .url.endswith("/models/m/versions/v1?updateMask=autoScaling.maxNodes")
    )
    assert aip("predict --model m --dry-run", "- [1, 2]").requests[0].body == {"instances": [[1, 2]]}
    for line in (
        "list",
        "describe v1 --model m",
        "operations",
        "cancel o",
        "wait o",
        "delete --model m",
        "set-default v --model m",
    ):
        for more in ("--dry-run", *(f"--show {form}" for form in SCRIPT_FORMATS)):
            assert aip(f"{line} {more}")
    assert not (home / "server.json").exists()


def test_show_prints_the_cloud_with_the_users_own_credentials(home: Path) -> None:
    aip = Lines(home)
    assert aip(f"list {CLOUD} --region us-east1 --show gcloud") == (
        "gcloud ai-platform models list --project=some-project --region=us-east1"
    )
    curl = aip(f"list {CLOUD} --region us-east1 --show curl")
    assert "token=$(gcloud auth application-default print-access-token)" in curl
    assert "ml=https://us-east1-ml.googleapis.com/" in curl
    assert "google.auth.default(" in aip(f"list {CLOUD} --show python")
    other = aip("list --endpoint http://127.0.0.1:1/prefix --project some-project --show gcloud")
    assert other.splitlines()[0] == "export CLOUDSDK_API_ENDPOINT_OVERRIDES_ML=http://127.0.0.1:1/prefix/"
    assert "--region=us-east1" in aip(f"wait o {CLOUD} --region us-east1 --show gcloud")
    assert "--region" not in aip(f"wait o {CLOUD} --show gcloud")


def test_show_tells_what_gcloud_has_no_flag_for(home: Path) -> None:
    aip = Lines(home)
    line = "create-version v --model m --origin gs://bucket/m --async --show gcloud"
    body = "predictionClass: code.Model\npackageUris: [gs://bucket/code-0.1.tar.gz]\nmanualScaling: {nodes: 2}\n"
    shown = aip(line, body)
    assert "--async" in shown
    assert '"predictionClass": "code.Model"' in shown
    assert "<<'EOF'" in shown
    assert "gcloud beta" not in shown
    assert "gcloud beta" in aip(f"{line} --explanation-method sampled-shapley")
    assert "# gcloud cannot send: requestLoggingConfig" in aip(line, "requestLoggingConfig: {samplingPercentage: 0.5}")
    assert "# gcloud cannot send: parameters" in aip(
        "predict --model m --show gcloud", "{instances: [1], parameters: {a: 1}}"
    )
    assert "--enable-console-logging" in aip("create-model m --enable-console-logging --show gcloud")
    shown = aip("create-model m --show gcloud", "labels: {a: 'x,y'}")
    assert "--labels=^|^a=x,y" in shlex.split(shown)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("v1/projects/p/models", Address("p", collection=True)),
        ("v1/projects/example.com:p/models/m/versions/v:predict", Address("example.com:p", "m", "v", verb="predict")),
        ("v1/projects/p/operations/o:cancel", Address("p", operation="o", verb="cancel")),
        ("v1/projects/p/models/m/versions", Address("p", "m", collection=True)),
    ],
)
def test_show_address_of_a_path(path: str, address: Address) -> None:
    assert Address.of(path) == address


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_prints_transfers(aip: Lines, form: str, tmp_path: Path) -> None:
    available(form)
    folder, uri = tmp_path / "my export", "gs://models-of-mine/a/v1"
    (folder / "assets").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"model" * 1000)
    (folder / "assets" / "단어's $HOME.txt").write_bytes(b"\r\n")
    sent = contents(folder)
    (folder / ".hidden, too").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"x")
    upload = f"upload {shlex.quote(str(folder))} {uri}"
    run(PROGRAMS[form], aip(f"{upload} --show {form}"), tmp_path)
    store = choose(settings.resolve()).storage_client
    assert set(list_objects(store, GsUri.parse(uri))) == set(sent)
    run(PROGRAMS[form], aip(f"pull {uri} {tmp_path / 'new'} --show {form}"), tmp_path)
    assert contents(tmp_path / "new") == sent
    aip(f"upload {folder / 'model.bin'} {uri}/extra".replace(str(folder), shlex.quote(str(folder))))
    if form == "curl":
        with pytest.raises(OptionError, match="cannot delete"):
            aip(f"{upload} --delete-extra --show {form}")
    else:
        run(PROGRAMS[form], aip(f"{upload} --delete-extra --show {form}"), tmp_path)
        assert set(list_objects(store, GsUri.parse(uri))) == set(sent)
    one = shlex.quote(str(folder / "model.bin"))
    run(PROGRAMS[form], aip(f"upload {one} gs://models-of-mine/b --show {form}"), tmp_path)
    assert set(list_objects(store, GsUri.parse("gs://models-of-mine/b"))) == {"model.bin"}
    run(PROGRAMS[form], aip(f"pull gs://models-of-mine/b/model.bin {tmp_path / 'one'} --show {form}"), tmp_path)
    assert contents(tmp_path / "one") == {"model.bin": sent["model.bin"]}
    with pytest.raises(OptionError, match="single file"):
        aip(f"upload {one} gs://models-of-mine/b --delete-extra --show {form}")


@pytest.mark.parametrize("form", SCRIPT_FORMATS)
def test_show_prints_removals(aip: Lines, form: str, tmp_path: Path) -> None:
    available(form)
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("model.bin", "단어's $HOME.txt", "a*b"):
        (folder / name).write_bytes(b"x")
    for path in ("v1", "v10", "v2"):
        aip(f"upload {folder} gs://models-of-mine/a/{path}")
    odd = shlex.quote("gs://models-of-mine/a/v2/단어's $HOME.txt")
    shown = aip(f"remove gs://models-of-mine/a/v1/ {odd} gs://models-of-mine/a/v1/model.bin --show {form}")
    store = choose(settings.resolve()).storage_client
    assert len(list_objects(store, GsUri("models-of-mine"))) == 9
    run(PROGRAMS[form], shown, tmp_path)
    left = {f"a/v10/{name}" for name in ("model.bin", "단어's $HOME.txt", "a*b")} | {"a/v2/model.bin", "a/v2/a*b"}
    assert set(list_objects(store, GsUri("models-of-mine"))) == left
    if form == "gcloud":
        with pytest.raises(OptionError, match="gcloud reads the name as a pattern"):
            aip(f"remove 'gs://models-of-mine/a/v2/a*b' --show {form}")
    else:
        run(PROGRAMS[form], aip(f"remove 'gs://models-of-mine/a/v2/a*b' --show {form}"), tmp_path)
        assert set(list_objects(store, GsUri("models-of-mine"))) == left - {"a/v2/a*b"}
    run(PROGRAMS[form], aip(f"remove gs://models-of-mine --show {form}"), tmp_path)
    assert list_objects(store, GsUri("models-of-mine")) == {}
    assert find_bucket(store, "models-of-mine")
    assert "--recursive" not in shown  # deletes also the bucket, and noncurrent versions of the objects


def test_show_prints_an_upload_without_any_request(home: Path, iris_export: Path) -> None:
    aip = Lines(home)
    shown = {form: aip(f"upload {iris_export} gs://some-models/iris --show {form}") for form in SCRIPT_FORMATS}
    assert shlex.split(shown["gcloud"])[-2:] == [str(iris_export), "gs://some-models/iris/"]
    assert "model.joblib" in shown["curl"]
    assert "model.joblib" in shown["python"]
    assert not (home / "server.json").exists()


def test_dry_run_of_a_pull_downloads_nothing(aip: Lines, tmp_path: Path) -> None:
    planned = aip(f"pull gs://aip-local-aiplatform/iris/v1 {tmp_path / 'new'} --dry-run")
    [(kind, name, size)] = planned.rows
    assert (kind, name) == ("fetch", "model.joblib")
    assert not (tmp_path / "new").exists()
    aip(f"pull gs://aip-local-aiplatform/iris/v1 {tmp_path / 'new'}")
    again = aip(f"pull gs://aip-local-aiplatform/iris/v1/model.joblib {tmp_path / 'new'} --dry-run")
    assert again.rows == (("keep", "model.joblib", size),)
    with pytest.raises(StorageError, match="no objects found"):
        aip(f"pull gs://aip-local-aiplatform/none {tmp_path / 'new'} --dry-run")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gcloud", "python"])
def test_show_prints_a_local_prediction(home: Path, form: str, iris_export: Path, tmp_path: Path) -> None:
    available(form)
    line = f"local-predict --model-dir {iris_export}"
    shown = Lines(home)(f"{line} --show {form}", "- [6.7, 3.0, 5.2, 2.3]\n- [5.1, 3.5, 1.4, 0.2]")
    output = run(PROGRAMS[form], shown, tmp_path)
    assert "[2, 0]" in output


OWN_CODE = """
class Doubler:
    @classmethod
    def from_path(cls, model_dir):
        return cls()

    def predict(self, instances, **kwargs):
        return [2 * one for one in instances]
"""


@pytest.mark.slow
def test_show_prints_only_python_where_there_is_no_other_way(home: Path, iris_export: Path, tmp_path: Path) -> None:
    """Own code, the checks and packages: gcloud and curl have nothing of the kind, and that is said."""
    aip = Lines(home)
    (tmp_path / "own.py").write_text(OWN_CODE)
    made = aip(f"package {tmp_path / 'own.py'} --output {tmp_path / 'ours'}")
    lines = {
        f"package {tmp_path / 'own.py'} --output {tmp_path / 'theirs'}": None,
        f"check {iris_export} --model iris --labels a=b --skip A02": "test: {instances: [[6.7, 3.0, 5.2, 2.3]]}",
        f"local-predict --model-dir {iris_export} --prediction-class own.Doubler --package-uris {made.path}": "- 21",
    }
    output = []
    for line, body in lines.items():
        for form in ("gcloud", "curl"):
            with pytest.raises(OptionError, match="is not available") as caught:
                aip(f"{line} --show {form}", body)
            assert caught.value.fix == "use --show python"
        output.append(run(PROGRAMS["python"], aip(f"{line} --show python", body), tmp_path))
    assert (tmp_path / "theirs" / made.path.name).read_bytes() == made.path.read_bytes()
    assert "'findings': []" in output[1]
    assert "{'id': 'A02', 'reason': 'skipped with --skip'}" in output[1]
    assert "[42]" in output[2]
    assert not (home / "server.json").exists()


def test_show_quotes_names(home: Path, tmp_path: Path) -> None:
    """Whatever a name has in it reaches the program as that very name."""
    nasty = """a"; touch gone; '$(touch gone)`touch gone`"""
    target = choose(settings.resolve(target="aiplatform", project="some-project"))
    for form in ("gcloud", "curl"):
        text = render_script(
            form, [Request("POST", "v1/projects/some-project/models", {"name": nasty, "description": nasty})], target
        )
        stub = "gcloud() { :; }; curl() { cat > /dev/null; }\n"
        subprocess.run(["sh", "-c", stub + text], cwd=tmp_path, check=True, timeout=60)
        get = render_script(form, [Request("GET", f"v1/projects/some-project/models/{nasty}")], target)
        subprocess.run(["sh", "-c", stub + get], cwd=tmp_path, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []
    compile(
        render_script("python", [Request("GET", f"v1/projects/some-project/models/{nasty}")], target), "shown", "exec"
    )

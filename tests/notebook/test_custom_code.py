"""Own code in a model, deployed by the real magic to the real server: packages, pipelines, routines."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from custom_models import OWN_CODE, ROUTINE, own_code_pipeline, routine_dir, sdist

from aip_magics.deploy import trust_store
from aip_magics.errors import ChecksFailed, OperationFailed, OptionError, PredictionError
from aip_magics.targets import local

PLAIN = "from setuptools import setup\nsetup(name={name!r}, py_modules=['my_routine'])\n"
TEST = "test:\n  instances: [[5.0]]\n"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own")
    return own_code_pipeline(root / "export", root)


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    return sdist(tmp_path / "dist", "own-code", own_code=OWN_CODE % 3)


@pytest.fixture
def routine(tmp_path: Path) -> Path:
    return routine_dir(tmp_path / "offset")


@pytest.fixture
def routine_code(tmp_path: Path) -> Path:
    return sdist(tmp_path / "dist", "my_routine", my_routine=ROUTINE)


def deploy(shell: Any, line: str, body: str = "") -> Any:
    return shell.run_cell_magic("aip_deploy", line, body) if body else shell.run_line_magic("aip_deploy", line)


def predict(shell: Any, line: str, body: str) -> Any:
    return shell.run_cell_magic("aip_predict", line, body)["predictions"]


def test_aip_deploy_of_a_pipeline_with_own_code(shell: Any, pipeline: Path, own_code: Path, capsys: Any) -> None:
    version = deploy(shell, f"--model own --origin {pipeline} --package-uris {own_code}", TEST)
    assert (version.state, version.framework, version.predictionClass) == ("READY", "SCIKIT_LEARN", None)
    (uri,) = version.packageUris
    rest = uri.partition("/packages/")[2]
    digest, _, name = rest.partition("/")
    assert (len(digest), name) == (64, own_code.name)
    assert "identical to the local predictions" in capsys.readouterr().out
    assert predict(shell, "--model own", "[[5.0]]") == pytest.approx([10.0])

    shell.user_ns["package"] = own_code
    again = deploy(shell, f"--model own --origin {pipeline} --package-uris $package", TEST)
    assert (again.id, again.packageUris) == (version.id, version.packageUris)
    newer = sdist(own_code.parent, "own-code", own_code=OWN_CODE % 3 + "# a word more\n")
    other = deploy(shell, f"--model own --origin {pipeline}", f"packageUris: [{newer}]\n{TEST}")
    assert other.id == "v2"
    assert other.packageUris != version.packageUris
    by_uri = deploy(shell, f"--model twice --origin {pipeline} --package-uris {other.packageUris[0]}", TEST)
    assert by_uri.packageUris == other.packageUris


def test_aip_deploy_keeps_own_code_beyond_the_server_and_its_bucket(
    shell: Any, pipeline: Path, own_code: Path, embedded: Path
) -> None:
    from google.cloud import storage

    version = deploy(shell, f"--model own --origin {pipeline} --package-uris {own_code}", TEST)
    before = local.running(embedded)
    assert before is not None
    from aip_magics.settings import resolve
    from aip_magics.targets import choose

    client: storage.Client = choose(resolve(target="local")).google_storage_client
    bucket, _, name = version.packageUris[0].removeprefix("gs://").partition("/")
    client.bucket(bucket).blob(name).delete()
    os.kill(before.pid, signal.SIGKILL)
    assert predict(shell, "--model own", "[[5.0]]") == pytest.approx([10.0])
    with pytest.raises(Exception, match=r"object not found") as caught:
        deploy(shell, f"--model other --origin {pipeline} --package-uris {version.packageUris[0]}")
    assert name in str(caught.value)


def test_aip_deploy_of_a_custom_prediction_routine(shell: Any, routine: Path, routine_code: Path, capsys: Any) -> None:
    line = f"--model routine --origin {routine} --package-uris {routine_code} --prediction-class my_routine.Routine"
    version = deploy(shell, line, "test: {instances: [1, 2], factor: 10}")
    assert (version.state, version.framework, version.predictionClass) == ("READY", None, "my_routine.Routine")
    assert "2 predictions: [110, 120], identical to the local predictions" in capsys.readouterr().out
    assert predict(shell, "--model routine", "instances: [1, 2]\nfactor: 5") == [105, 110]
    assert predict(shell, "--model routine", "[1, 2]") == [101, 102]
    assert deploy(shell, line, "test: {instances: [1, 2], factor: 10}").id == version.id


def test_aip_deploy_of_a_package_that_does_not_install(shell: Any, pipeline: Path, tmp_path: Path) -> None:
    broken = sdist(tmp_path / "dist", "broken", setup="raise RuntimeError('no luck today')\n")
    line = f"--model own --origin {pipeline} --package-uris {broken} --trust"
    with pytest.raises(PredictionError, match=r"broken-0\.1\.tar\.gz failed to install") as tried:
        deploy(shell, line, TEST)
    assert "no luck today" in tried.value.detail
    with pytest.raises(OperationFailed) as failed:  # without a test it is the server that finds it
        deploy(shell, line)
    head = 'Create Version failed. Bad model detected with error:  "Failed to load model: User-provided package '
    assert f"{head}broken-0.1.tar.gz failed to install: " in failed.value.message
    assert "no luck today" in failed.value.message
    version = shell.run_line_magic("aip_describe", "v1 --model own")
    assert version.state == "FAILED"
    assert "no luck today" in version.errorMessage


def test_aip_deploy_asks_once_about_a_package_that_acts_while_it_is_built(
    shell: Any, routine: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    acts = (
        f"open({str(marker)!r}, 'w')\nfrom setuptools import setup\nsetup(name='acting', py_modules=['my_routine'])\n"
    )
    package = sdist(tmp_path / "dist", "acting", setup=acts, my_routine=ROUTINE)
    line = f"--model acting --origin {routine} --package-uris {package} --prediction-class my_routine.Routine"
    test = "test: {instances: [1, 2]}"
    for body in (test, ""):
        with pytest.raises(ChecksFailed, match=r"setup\.py, line 1: calls open \(U03 untrusted-build-code\)") as caught:
            deploy(shell, line, body)
        assert "--trust" in caught.value.fix
    with pytest.raises(OptionError, match="U03"):
        deploy(shell, f"{line} --skip U03")
    local = f"--model-dir {routine} --package-uris {package} --prediction-class my_routine.Routine"
    with pytest.raises(ChecksFailed, match="U03"):
        shell.run_cell_magic("aip_local_predict", local, "instances: [1]")
    assert not marker.exists()
    version = deploy(shell, f"{line} --trust", test)  # what the fix says
    assert version.state == "READY"
    assert marker.exists()
    assert deploy(shell, line.replace("--model acting", "--model again"), test).state == "READY"
    assert shell.run_cell_magic("aip_local_predict", local, "instances: [1]") == {"predictions": [101]}

    marker.unlink()
    other = sdist(tmp_path / "other", "acting", setup=acts + "# another content\n", my_routine=ROUTINE)
    with pytest.raises(ChecksFailed, match="U03"):
        deploy(shell, line.replace(str(package), str(other)), test)
    assert not marker.exists()


def test_aip_deploy_does_not_ask_about_packages_built_here(
    shell: Any, routine: Path, tmp_path: Path, embedded: Path
) -> None:
    (tmp_path / "my_routine.py").write_text(ROUTINE)
    made = shell.run_line_magic("aip_package", f"{tmp_path / 'my_routine.py'} --output {tmp_path / 'dist'}")
    assert hashlib.sha256(made.path.read_bytes()).hexdigest() in trust_store.trust_in(embedded).files
    line = f"--model made --origin {routine} --package-uris {made.path} --prediction-class my_routine.Routine"
    assert deploy(shell, line, "test: {instances: [1, 2]}").state == "READY"


@pytest.mark.parametrize(
    ("name", "rule", "text"),
    [
        ("my_routine.Missing", "A15", "problem processing the user code: my_routine.Missing cannot be found."),
        ("my_routine.NoPredict", "A16", "is missing the required predict method"),
    ],
)
def test_aip_deploy_of_a_class_that_is_no_routine(
    shell: Any, routine: Path, routine_code: Path, name: str, rule: str, text: str
) -> None:
    line = f"--model routine --origin {routine} --package-uris {routine_code} --prediction-class {name}"
    with pytest.raises(ChecksFailed, match=rule):
        deploy(shell, line)
    line += f" --skip {rule}"  # the worker and the server find it, too
    with pytest.raises(PredictionError, match="user code"):
        deploy(shell, line, "test: {instances: [1]}")
    with pytest.raises(OperationFailed) as failed:
        deploy(shell, line)
    assert text in failed.value.message
    assert "(Error code: 4)" in failed.value.message


def test_aip_deploy_names_missing_own_code(shell: Any, pipeline: Path) -> None:
    with pytest.raises(ChecksFailed, match=r"own_code\.Scale \(U01 untrusted-pickle\)"):
        deploy(shell, f"--model own --origin {pipeline}")
    with pytest.raises(OperationFailed, match="own_code"):
        deploy(shell, f"--model own --origin {pipeline} --trust")


def test_aip_deploy_dry_run_shows_where_the_package_would_go(
    shell: Any, pipeline: Path, own_code: Path, embedded: Path
) -> None:
    plan = deploy(shell, f"--model own --origin {pipeline} --package-uris {own_code} --dry-run", TEST)
    (uri,) = plan.version.packageUris
    uploads = [request.body["name"] for request in plan.requests if request.url.endswith("/o")]
    assert uploads == ["own/v1/model.joblib", uri.removeprefix(f"gs://{plan.bucket}/")]
    remote = deploy(shell, f"--model own --origin gs://b/m --package-uris {own_code} --dry-run", TEST)
    assert remote.version.deploymentUri == "gs://b/m"
    assert [request.body["name"] for request in remote.requests if request.url.endswith("/o")] == uploads[1:]
    assert local.running(embedded) is None


@pytest.mark.parametrize(
    ("line", "body", "kind", "text"),
    [
        ("--package-uris nowhere.tar.gz", "", ChecksFailed, "nowhere.tar.gz does not exist"),
        ("--prediction-class m.C", "", ChecksFailed, "requires the package"),
        (
            "--package-uris {package} --prediction-class m.C --framework scikit-learn",
            "",
            ChecksFailed,
            "mutually exclusive",
        ),
        ("--package-uris nowhere.tar.gz --skip C02 --trust", "", OptionError, "could not read the package"),
        ("", "packageUris: 5", ChecksFailed, "5 is not a package"),
    ],
)
def test_aip_deploy_tells_mistakes_of_custom_code_before_anything_is_sent(
    shell: Any, pipeline: Path, own_code: Path, line: str, body: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        deploy(shell, f"--origin {pipeline} {line.format(package=own_code)}", body)
    assert text in str(caught.value)

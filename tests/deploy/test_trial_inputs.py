"""What a trial depends on: each change of an input is another key or another content, and code of a user has no key."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import aip_magics
from aip_magics.deploy import trial_inputs as module
from aip_magics.deploy.trial import Trial
from aip_magics.deploy.trial_inputs import TrialInputs, trial_case, trial_inputs
from aip_magics.storage import DigestCache

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


@pytest.fixture
def trial(tmp_path: Path, iris_export: Path) -> Trial:
    shutil.copytree(iris_export, tmp_path / "model")
    return Trial(tmp_path / "model", BODY, "SCIKIT_LEARN", listed_code_only=True)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The files of a built environment that tell what is installed."""
    site = tmp_path / "environment" / "lib" / "python3.11" / "site-packages"
    (site / "numpy-1.26.4.dist-info").mkdir(parents=True)
    (site / "single.py").write_text("one")
    os.utime(site / "single.py", ns=(1, 1))
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\n")
    return site


def inputs_of(trial: Trial) -> TrialInputs:
    found = trial_inputs(trial)
    assert found is not None
    return found


def key_of(trial: Trial) -> str:
    return inputs_of(trial).key


def content_of(trial: Trial) -> str:
    return inputs_of(trial).content_digest(DigestCache())


@pytest.mark.slow
def test_trial_inputs_are_the_same_for_equal_trials(trial: Trial, tmp_path: Path) -> None:
    assert key_of(trial) == key_of(trial)
    copy = dataclasses.replace(trial, model_dir=shutil.copytree(trial.model_dir, tmp_path / "copy"))
    assert (key_of(copy), content_of(copy)) == (key_of(trial), content_of(trial))


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY + b" "},
        {"framework": None},
        {"trusted": True},
        {"trusted_modules": ("ours",)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_trial_inputs_key_has_every_field(trial: Trial, changed: dict[str, object]) -> None:
    assert key_of(dataclasses.replace(trial, **changed)) != key_of(trial)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["extra.txt", ".vocabulary", "ignored.txt", "assets/words"])
def test_trial_inputs_have_every_file_that_a_worker_may_read(trial: Trial, name: str) -> None:
    (trial.model_dir / ".gcloudignore").write_text("ignored.txt\n")
    before = key_of(trial)
    path = trial.model_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("one")
    key, content = key_of(trial), content_of(trial)
    assert key != before
    path.write_text("two")
    assert key_of(trial) == key
    assert content_of(trial) != content
    path.write_text("three")
    assert key_of(trial) != key


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time of change, only one of creation")
def test_trial_inputs_content_differs_although_size_and_mtime_do_not(trial: Trial, tmp_path: Path) -> None:
    path = trial.model_dir / "model.joblib"
    status = path.stat()
    cache = DigestCache(tmp_path / "digests.sqlite", now=lambda: status.st_ctime_ns + 10**10)  # settled: it is cached
    before = inputs_of(trial)
    digest = before.content_digest(cache)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = inputs_of(trial)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert after.key == before.key
    assert after.stamps != before.stamps
    assert after.content_digest(cache) != digest


def test_trial_inputs_of_a_file_that_was_just_written_are_not_settled(trial: Trial, tmp_path: Path) -> None:
    assert not inputs_of(trial).settled
    assert not (tmp_path / "digests.sqlite").exists()
    cache = DigestCache(tmp_path / "digests.sqlite")
    inputs_of(trial).content_digest(cache)
    assert cache.get_cached(trial.model_dir / "model.joblib") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda site: (site / "numpy-1.26.4.dist-info").rename(site / "numpy-2.0.0.dist-info"),
        lambda site: (site / "six-1.16.0.dist-info").mkdir(),
        lambda site: (site / "ours.pth").write_text("/src"),
        lambda site: os.utime(site / "numpy-1.26.4.dist-info", ns=(1, 1)),
        lambda site: (site / "numpy.py").write_text(""),
        lambda site: (site / "single.py").write_text("two"),
        lambda site: (site.parents[2] / "bin" / "python").write_text("#!/bin/bash\n"),
        lambda site: (site.parents[2] / "conda-meta").mkdir(),
    ],
    ids=["upgraded", "installed", "pth", "reinstalled", "module", "edited", "interpreter", "conda"],
)
def test_trial_inputs_key_has_interpreter_and_libraries(
    trial: Trial, environment: Path, change: Callable[[Path], object]
) -> None:
    other = dataclasses.replace(trial, python=str(environment.parents[2] / "bin" / "python"))
    before = key_of(other)
    assert before != key_of(trial)
    change(environment)
    assert key_of(other) != before


def test_trial_inputs_key_stays_when_another_environment_is_built(
    trial: Trial, environment: Path, tmp_path: Path
) -> None:
    """uv links the files of its cache into every environment."""
    other = dataclasses.replace(trial, python=str(environment.parents[2] / "bin" / "python"))
    os.link(environment / "single.py", tmp_path / "cache")
    before = inputs_of(other)
    os.link(tmp_path / "cache", tmp_path / "elsewhere")
    assert (inputs_of(other).key, inputs_of(other).installed_ns) == (before.key, before.installed_ns)
    (environment / "single.py").write_text("two")
    assert key_of(other) != before.key


def test_trial_inputs_do_not_exist_for_an_interpreter_of_unknown_libraries(trial: Trial, environment: Path) -> None:
    python = environment.parents[2] / "bin" / "python"
    shutil.rmtree(environment.parents[1])
    assert trial_inputs(dataclasses.replace(trial, python=str(python))) is None
    assert trial_inputs(dataclasses.replace(trial, python=str(python.with_name("gone")))) is None


def test_trial_inputs_key_has_the_variables_of_the_worker_only(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(trial)
    monkeypatch.setenv("MY_PASSWORD", "secret")
    assert key_of(trial) == before
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert key_of(trial) != before


def test_trial_inputs_key_has_version_and_platform(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key_of(trial)}
    with monkeypatch.context() as patch:
        patch.setattr(aip_magics, "__version__", "0.0.1")
        keys.add(key_of(trial))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "3.9.0 (main)")
        keys.add(key_of(trial))
    with monkeypatch.context() as patch:
        patch.setattr(platform, "uname", lambda: platform.uname_result("Linux", "other", "6", "1", "riscv"))
        keys.add(key_of(trial))
    assert len(keys) == 4


@pytest.mark.slow
def test_trial_inputs_key_has_the_code_of_the_worker(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "aip_magics"
    for part in ("prediction", "catalog"):
        shutil.copytree(Path(aip_magics.__file__).parent / part, package / part)
    before = key_of(trial)
    monkeypatch.setattr(module, "_PACKAGE", package)
    assert key_of(trial) == before
    (package / "prediction" / "worker" / "models.py").write_text("changed = 1\n")
    changed = key_of(trial)
    assert changed != before
    (package / "catalog" / "pickle_globals.json").write_text("{}")
    assert key_of(trial) not in (before, changed)


@pytest.mark.parametrize(
    "own",
    [
        {"packages": (Path("own-0.1.tar.gz"),)},
        {"prediction_class": "own.Routine"},
        {"listed_code_only": False},
    ],
    ids=["packages", "routine", "trust"],
)
def test_trial_inputs_do_not_exist_for_code_of_the_user(trial: Trial, own: dict[str, object]) -> None:
    assert trial_inputs(dataclasses.replace(trial, **own)) is None  # type: ignore[arg-type]


def test_trial_inputs_do_not_exist_for_a_library_in_a_source_tree(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "checkout"
    (source / "catboost").mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(source))
    assert trial_inputs(trial) is not None  # a directory without code
    (source / "catboost" / "__init__.py").touch()
    assert trial_inputs(trial) is None
    monkeypatch.delenv("PYTHONPATH")
    assert trial_inputs(trial) is not None
    monkeypatch.syspath_prepend(str(source))  # as the file of an editable install does
    assert trial_inputs(trial) is None


def test_trial_inputs_key_has_what_python_imports_at_its_start(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "own"))
    keys = {key_of(trial)}
    customization = tmp_path / "own" / "sitecustomize.py"
    for number in range(2):
        customization.write_text(f"number = {number}\n")
        os.utime(customization, (number, number))
        keys.add(key_of(trial))
        time.sleep(0.02)  # a tick of the clock: installers may set mtime back, but not ctime
    assert len(keys) == 3


def test_trial_inputs_do_not_exist_for_links_to_directories(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (trial.model_dir / "variables").symlink_to(tmp_path / "elsewhere")
    assert trial_inputs(trial) is None
    assert trial_inputs(dataclasses.replace(trial, model_dir=tmp_path / "nowhere")) is None


def test_trial_case_is_the_beginning_of_the_key(trial: Trial) -> None:
    case = trial_case(trial.model_dir, BODY)
    assert key_of(trial).startswith(f"{case}-")
    assert key_of(dataclasses.replace(trial, framework=None)).startswith(f"{case}-")
    assert trial_case(trial.model_dir, b"{}") != case

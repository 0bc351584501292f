"""A target of another package: named by an entry point, chosen by `--target`, with capabilities of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics import settings, target_types
from aip_magics.errors import OptionError, SettingsError
from aip_magics.targets import Capability, choose

MODULE = """
from aip_magics.target_types import TargetType
from aip_magics.targets import Capability
from aip_magics.targets.local import LocalTarget

class Lab(LocalTarget):
    def missing(self):
        return {**super().missing(), Capability.VERSION_LOGS: "the lab keeps no logs"}

LAB = TargetType("lab", "lab_target:Lab", default_project="lab-project")
NO_TYPE = "something else"
NO_CLASS = TargetType("classless", "no_such_module:Lab", default_project="lab-project")
"""
ENTRY_POINTS = """[aip_magics.targets]
lab = lab_target:LAB
other = lab_target:NO_TYPE
absent = no_such_module:LAB
classless = lab_target:NO_CLASS
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with an installed package that has four entry points; three of them are broken."""
    site = tmp_path / "site"
    info = site / "lab_target-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "lab_target.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-target\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    target_types._entry_points.cache_clear()
    yield site
    target_types._entry_points.cache_clear()
    sys.modules.pop("lab_target", None)


def test_target_types_are_found_by_entry_points(lab: Path) -> None:
    assert list(target_types.NAMES)[: len(target_types.OWN_NAMES)] == list(target_types.OWN_NAMES)
    assert {"lab", "other", "absent"} <= set(target_types.NAMES)
    target = choose(settings.resolve(target="lab"))
    assert type(target).__name__ == "Lab"
    assert (target.name, target.project) == ("lab", "lab-project")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("other", "target other cannot be loaded: expected a TargetType, got str"),
        ("absent", "target absent cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("classless", "target classless cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_target_types_that_cannot_be_loaded_are_an_error(lab: Path, name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose(settings.resolve(target=name))
    assert caught.value.message == text
    assert caught.value.fix == "reinstall lab-target, or use another target"


def test_target_types_name_the_nearest(lab: Path) -> None:
    with pytest.raises(SettingsError, match="unknown target 'lba'") as caught:
        settings.resolve(target="lba")
    assert caught.value.fix == "did you mean 'lab'?"


@given(st.text().filter(lambda name: name not in target_types.OWN_NAMES))
def test_target_types_do_not_know_any_other_name(name: str) -> None:
    assert target_types.find(name) is None
    assert name not in target_types.NAMES


def test_target_says_why_a_capability_is_missing(lab: Path) -> None:
    target = choose(settings.resolve(target="lab"))
    assert not target.has(Capability.VERSION_LOGS)
    target.require(Capability.OWN_PYTHON, where="--env")
    with pytest.raises(OptionError, match="the lab keeps no logs") as caught:
        target.require(Capability.VERSION_LOGS, where="--target", fix="use --target local")
    assert (caught.value.where, caught.value.fix) == ("--target", "use --target local")


@pytest.mark.parametrize("name", target_types.OWN_NAMES)
def test_target_gives_a_reason_for_each_missing_capability(name: str) -> None:
    missing = choose(settings.resolve(target=name, project="my-project")).missing()
    assert all(isinstance(each, Capability) and reason for each, reason in missing.items())


def test_target_of_another_package_deploys(lab: Path, embedded: Path, iris_export: Path) -> None:
    words = ["deploy", "--target", "lab", "--model", "iris", "--origin", str(iris_export)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(lab), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(
        [sys.executable, "-m", "aip_magics", *words],
        input="test: {instances: [[5.1, 3.5, 1.4, 0.2]]}\n",
        env=environ,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "projects/lab-project/models/iris" in run.stdout
    run = subprocess.run(
        [sys.executable, "-m", "aip_magics", "logs", "v1", "--model", "iris", "--target", "lab"],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "the lab keeps no logs" in run.stderr

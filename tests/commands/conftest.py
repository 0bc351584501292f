"""A server with a deployed model, without a deployment for each test that finds it there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from isolation import isolate
from resource_lines import Lines

from aip_magics.targets import local


@pytest.fixture(scope="session")
def deployed_once(tmp_path_factory: pytest.TempPathFactory, iris_export: Path) -> Path:
    """The data directory of a server that was stopped after iris/v1 was deployed to it."""
    with pytest.MonkeyPatch.context() as patch:
        home = isolate(patch, tmp_path_factory.mktemp("deployed"))
        Lines(home)(f"deploy v1 --model iris --origin {iris_export}")
        assert local.stop(home)
    return home


@pytest.fixture
def deployed(embedded: Path, deployed_once: Path) -> Path:
    """The data directory of the test's own server, which has iris/v1."""
    shutil.copytree(deployed_once, embedded)
    local.start(embedded)
    return embedded

"""`operations` with many operations: it requests, shows and returns the newest."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from resource_lines import Lines

from aip_magics import errors
from aip_magics.spec import Operation
from aip_magics.targets.state import ServerState

UPDATES = 130


@pytest.fixture
def aip(deployed: Path) -> Lines:
    """Lines against a server with iris/v1, created by the oldest of many operations."""
    state = ServerState.read(deployed)
    assert state is not None
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {state.token}"
        url = f"{state.url}/v1/projects/aip-local/models/iris?updateMask=description"
        for number in range(UPDATES):
            assert session.patch(url, json={"description": str(number)}).status_code == 200
    return Lines(deployed)


def numbers(operations: list[Operation]) -> list[str]:
    """The descriptions that the updates set; `created` for the operation that created the version."""
    return [
        str((operation.response or {})["description"]) if (operation.id or "").startswith("update") else "created"
        for operation in operations
    ]


def test_operations_command_lists_the_newest_first(aip: Lines) -> None:
    newest = [str(number) for number in reversed(range(UPDATES))]
    assert numbers(aip("operations")) == newest[:50]
    listed, remark = aip.face.shown
    assert len(listed) == 50
    assert remark == "the newest 50 operations; use %aip_operations --limit 0 to list all"
    assert numbers(aip("operations --limit 3")) == newest[:3]
    assert numbers(aip("operations --limit 120")) == newest[:120]
    assert numbers(aip("list --operations")) == newest[:50]
    aip.face.shown.clear()
    assert numbers(aip("operations --limit 0")) == [*newest, "created"]
    assert numbers(aip("operations --limit 500")) == [*newest, "created"]
    assert [len(shown) for shown in aip.face.shown] == [UPDATES + 1, UPDATES + 1]  # and no remark
    with pytest.raises(errors.OptionError, match="expected 0 or more"):
        aip("operations --limit -1")


@pytest.mark.parametrize(
    ("line", "size"), [("operations", 50), ("operations --limit 7", 7), ("operations --limit 0", 100)]
)
def test_operations_command_shows_the_request_that_it_sends(embedded: Path, line: str, size: int) -> None:
    assert f"/operations?pageSize={size}" in str(Lines(embedded)(f"{line} --show curl"))

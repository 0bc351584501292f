"""`--async` in real kernels: the panel goes on while other cells run, and a new kernel finds what an old one left."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
SECONDS = 60
LOADING = 3.0


class SlowToLoad:
    """Takes its time when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (LOADING,)


@pytest.fixture
def slow(iris_export: Path, tmp_path: Path) -> Path:
    export = tmp_path / "slow"
    export.mkdir()
    model = joblib.load(iris_export / "model.joblib")
    model.slow_ = SlowToLoad()
    joblib.dump(model, export / "model.joblib")
    return export


class Front:
    """What a front end sees of a kernel: the displays by their id, as they now are."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.displays: dict[str, str] = {}
        self.times: list[float] = []  # of updates
        self.sizes: list[int] = []

    def run(self, code: str) -> str:
        """Run a cell; what it printed. An AssertionError where it failed."""
        request = self._client.execute(code)
        printed = []
        while True:
            message = self._client.get_iopub_msg(timeout=SECONDS)
            self._see(message)
            if message["parent_header"].get("msg_id") == request:
                content = message["content"]
                assert message["msg_type"] != "error", content
                printed.append(content.get("text", ""))
                if content.get("execution_state") == "idle":
                    return "".join(printed)

    def wait_for(self, text: str) -> str:
        """The display that says this, once one does."""
        end = time.monotonic() + SECONDS
        while not (found := [shown for shown in self.displays.values() if text in shown]):
            assert time.monotonic() < end, self.displays
            with contextlib.suppress(queue.Empty):
                self._see(self._client.get_iopub_msg(timeout=0.1))
        return found[0]

    def _see(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            key = content.get("transient", {}).get("display_id") or str(len(self.displays))
            self.displays[key] = content["data"]["text/plain"]
            self.sizes.append(len(content["data"]["text/html"].encode()))
            self.times.append(time.monotonic())


@contextlib.contextmanager
def notebook(directory: Path, name: str) -> Iterator[Front]:
    """A kernel of the notebook of this name; it is killed afterwards, as by a restart."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JPY_SESSION_NAME": name}
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(directory), env=env)
    try:
        front = Front(client)
        front.run("%load_ext aip_magics")
        yield front
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def test_operation_panel_goes_on_while_other_cells_run(embedded: Path, slow: Path, tmp_path: Path) -> None:
    with notebook(tmp_path, "follow.ipynb") as front:
        front.run(f"%aip_deploy v1 --model slow --origin {slow} --async --trust -o handle")
        assert front.run("print(handle.done, 1 + 1)") == "None 2\n"
        panel = front.wait_for("done: projects/aip-local/models/slow/versions/v1")
        assert "READY" in front.run("print(handle.response['state'])")  # the variable has the end of it
        assert "✔" in panel
        assert max(front.sizes) <= 4096
        assert "deploy" in front.run("%aip_history") + str(front.displays)
        before = len(front.times)
        front.run("import time; time.sleep(1.5)")
        assert len(front.times) == before  # nothing is drawn any more


def test_operation_panel_of_a_new_kernel_finds_what_the_old_one_left(
    embedded: Path, slow: Path, tmp_path: Path
) -> None:
    with notebook(tmp_path, "left.ipynb") as front:
        front.run(f"handle = %aip_deploy v1 --model slow --origin {slow} --async --trust")
        name = front.run("print(handle.name)").strip()
    with notebook(tmp_path, "another.ipynb") as front:
        assert front.run("found = %aip_attach\nprint(found)") == "None\n"
    with notebook(tmp_path, "left.ipynb") as front:
        assert front.run("version = %aip_attach\nprint(version.state)").endswith("READY\n")
        assert any(re.search("state: READY", shown) for shown in front.displays.values())
        assert front.run("found = %aip_history\nprint([one.outcome for one in found.entries])") == "['done']\n"
        assert name in front.run("print(found.entries[0].operation)")

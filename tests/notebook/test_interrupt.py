"""⏹ while a deploy waits: the cell ends well, the operation goes on, and the printed line waits for it again."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import joblib
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
SECONDS = 4.0


class SlowToLoad:
    """Takes its time when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (SECONDS,)


def run(client: Any, code: str, interrupt: Any = None) -> tuple[str, str]:
    """Run code in the kernel; returns the reply's status and all text that was shown."""
    request = client.execute(code)
    texts: list[str] = []
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        texts.append("\n".join(content.get("traceback", ())))
        texts.append(content.get("text") or str(content.get("data", {}).get("text/plain", "")) or "")
        if interrupt and "Wait for the operation" in texts[-1]:
            time.sleep(0.5)
            interrupt()
            interrupt = None
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            break
    return str(client.get_shell_msg(timeout=60)["content"]["status"]), "\n".join(texts)


def test_interrupt_detaches_and_attach_waits_again(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    export = tmp_path / "slow"
    export.mkdir()
    model = joblib.load(iris_export / "model.joblib")
    model.slow_ = SlowToLoad()
    joblib.dump(model, export / "model.joblib")
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(tmp_path), env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        run(client, "%load_ext aip_magics")
        started = time.monotonic()
        status, shown = run(client, f"handle = %aip_deploy --origin {export} --trust", manager.interrupt_kernel)
        assert status == "ok", shown
        assert time.monotonic() - started < SECONDS + 8
        found = re.search(r"%aip_attach (projects/\S+)", shown)
        assert found, shown
        assert run(client, "print(handle.done)")[1].count("None") == 1
        status, shown = run(client, f"version = %aip_attach {found[1]}")
        assert status == "ok"
        assert "state: READY" in shown
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

"""A real kernel of any interpreter, spoken to as a front end does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

SECONDS = 60


class Kernel:
    """What a front end asks a kernel for."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str) -> str:
        """What the code printed and returned, as text; an AssertionError where it failed."""
        printed: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text", "") or content.get("data", {}).get("text/plain", ""))

        reply = self._client.execute_interactive(code, timeout=SECONDS, output_hook=hook)["content"]
        assert reply["status"] == "ok", "\n".join(reply["traceback"])
        return "".join(printed)

    def complete(self, code: str) -> tuple[str, list[str]]:
        """What Tab would replace, and what it offers, at the | in the code."""
        at = code.index("|")
        code = code.replace("|", "", 1)
        reply = self._client.complete(code, at, reply=True, timeout=SECONDS)["content"]
        assert reply["status"] == "ok"
        assert reply["cursor_end"] == at
        return code[reply["cursor_start"] : at], reply["matches"]


@contextlib.contextmanager
def kernel(python: str | Path, directory: Path, env: dict[str, str]) -> Iterator[Kernel]:
    """A kernel run by this interpreter, with this environment alone; it is gone afterwards."""
    spec = directory / "kernels" / "real" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "real", "language": "python"}))
    specs = KernelSpecManager(kernel_dirs=[str(spec.parents[1])], ensure_native_kernel=False)
    manager = KernelManager(
        kernel_name="real", kernel_spec_manager=specs, connection_file=str(directory / "connection.json")
    )
    manager.start_kernel(env=env, cwd=str(directory))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=SECONDS)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()

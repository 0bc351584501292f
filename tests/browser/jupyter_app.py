"""A JupyterLab or Notebook server of the test's own, on a free port, with a home that is thrown away."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import nbformat
import requests

from aip_magics.targets import local

App = Literal["lab", "notebook"]

START_SECONDS = 90
MODULES: dict[App, str] = {"lab": "jupyterlab", "notebook": "notebook"}
PAGES: dict[App, str] = {"lab": "lab/tree", "notebook": "notebooks"}
SETTINGS = {
    # Else a pop-up asks to fetch news, from the network.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # A cell that is scrolled away stays in the page, where the tests look for it.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    # A test saves when it says so.
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


@dataclasses.dataclass(frozen=True)
class Jupyter:
    """A running server. `directory` is what it shows; the kernels' embedded server has its data in `aip_home`."""

    app: App
    base: str
    token: str
    directory: Path
    aip_home: Path

    def address(self, name: str) -> str:
        """Where a notebook opens in a front end that remembers nothing of earlier ones."""
        return f"{self.base}{PAGES[self.app]}/{name}?token={self.token}&reset"

    def write(self, name: str, *cells: str) -> None:
        """A new notebook of these cells."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
        nbformat.write(made, self.directory / name)

    def read(self, name: str) -> Any:
        return nbformat.read(self.directory / name, as_version=4)

    def rewrite(self, name: str, notebook: Any) -> None:
        nbformat.write(notebook, self.directory / name)

    def end_kernels(self) -> None:
        """End all kernels: what a closed tab leaves running takes memory from the next test."""
        api, headers = f"{self.base}api/kernels", {"Authorization": f"token {self.token}"}
        for kernel in requests.get(api, headers=headers, timeout=30).json():
            requests.delete(f"{api}/{kernel['id']}", headers=headers, timeout=30)

    def secrets(self) -> list[str]:
        """What no saved notebook may hold: the tokens of both servers."""
        state = local.running(self.aip_home)
        return [self.token, *([state.token] if state is not None else [])]


@contextlib.contextmanager
def jupyter(app: App, directory: Path) -> Iterator[Jupyter]:
    """Start the server; it, its kernels and their embedded server are gone afterwards."""
    home, shown, token = directory / "home", directory / "work", secrets.token_hex(16)
    shown.mkdir(parents=True)
    config = home / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    env = {**os.environ, **_places(home), "JUPYTER_CONFIG_DIR": str(config), "JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", MODULES[app], "--no-browser", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={shown}", "--expose-app-in-browser", "--LabApp.extension_manager=readonly"]
    command += ["--allow-root"] if os.getuid() == 0 else []
    log = directory / "jupyter.log"
    with log.open("wb") as written:
        process = subprocess.Popen(command, env=env, cwd=shown, stdout=written, stderr=written)
    try:
        yield Jupyter(app, _base(process, home / "runtime", log), token, shown, home / "aip")
    finally:
        process.terminate()  # it ends its kernels first
        process.wait(30)
        local.stop(home / "aip")


def _places(home: Path) -> dict[str, str]:
    """Nothing of the user's is read or written."""
    return {
        "HOME": str(home),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "AIP_MAGICS_HOME": str(home / "aip"),
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "AIP_MAGICS_LANG": "en",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def _base(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """The address of the server, as it writes it down when it listens."""
    end = time.monotonic() + START_SECONDS
    written = runtime / f"jpserver-{process.pid}.json"
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(FileNotFoundError, ValueError):
            return str(json.loads(written.read_text())["url"])
        time.sleep(0.1)
    raise AssertionError(log.read_text())

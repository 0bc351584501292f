"""`server`, `logs` and `describe --stats` as a user types them."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aip_magics.commands.common.byte_size import byte_size
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.disk_usage import DiskUsage
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import NotFound, OptionError, ServerError
from aip_magics.render import html
from aip_magics.targets import local

ROOT = str(Path(__file__).parents[2])
TOKEN = "a-token-of-my-own-choice"


class Silent:
    def emit(self, event: object) -> None: ...

    def show(self, value: object) -> None: ...


def aip(line: str) -> object:
    verb, *words = line.split()
    command = get_command(verb)
    return command.run(build_parser(command, verb).parse(words), None, Context(Silent()))


@pytest.fixture
def iris(embedded: Path, iris_export: Path) -> Path:
    """The embedded server with a version of iris; it has answered once and refused once."""
    aip(f"deploy v1 --model iris --origin {iris_export} --quiet")
    client = _client()
    client.predict("iris", b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}')
    return embedded


def _client():
    from aip_magics import settings
    from aip_magics.targets import choose

    target = choose(settings.resolve(target="local"))
    target.connect()
    return target.client


def test_logs_and_stats_commands_show_what_a_version_did(iris: Path) -> None:
    text = str(aip("logs --model iris"))
    assert text.startswith("── requests\n")
    assert [json.loads(line)["status"] for line in text.splitlines()[1:]][-1] == 200
    assert len(str(aip("logs v1 --model iris --lines 1")).splitlines()) == 2
    stats = aip("describe v1 --model iris --stats")
    assert isinstance(stats, dict)
    assert stats["requests"] >= 1
    assert stats["latencyMs"]["p50"] > 0


def test_logs_and_stats_commands_tell_what_cannot_be_shown(embedded: Path) -> None:
    for line, text in (
        ("logs --model iris --lines 0", "at least 1 line"),
        ("logs v1 --model iris --target aiplatform --project some-project", "only the embedded server has logs"),
        (
            "describe v1 --model iris --stats --target aiplatform --project some-project",
            "only the embedded server has statistics",
        ),
        ("describe --model iris --stats", "a version is required"),
    ):
        with pytest.raises(OptionError, match=text):
            aip(line)
    with pytest.raises(NotFound):
        aip("logs --model none")


def test_server_command_takes_a_token_and_is_started_twice(embedded: Path, tmp_path: Path) -> None:
    (mine := tmp_path / "mine").write_text(f"{TOKEN}\n")
    (other_token := tmp_path / "other").write_text("another-token-of-mine")
    started = aip(f"server start --token-file {mine} --idle-exit 600 --idle-nodes 5 --coalesce --memory-budget 2GiB")
    state = local.running(embedded)
    assert state is not None
    assert state.token == TOKEN
    assert TOKEN not in repr(started)
    assert stat.S_IMODE((embedded / "token").stat().st_mode) == 0o600
    command = Path(f"/proc/{state.pid}/cmdline").read_text()
    assert TOKEN not in command
    assert "--coalesce" in command
    assert f"--memory-budget\0{2 << 30}\0" in command
    aip(f"server start --token-file {mine} --port {state.port}")  # what is asked for runs already
    for other in (f"--token-file {other_token}", f"--port {state.port - 1}"):
        with pytest.raises(ServerError, match="with another port or token") as caught:
            aip(f"server start {other}")
        assert "another-token" not in str(caught.value)
    assert local.running(embedded) == state


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 << 30),
        ("500MB", 500_000_000),
        ("1.5 gb", 1_500_000_000),
        ("1000000", 1_000_000),
        ("12B", 12),
        ("64kib", 64 << 10),
        ("2TB", 2 * 10**12),
    ],
)
def test_byte_size_of_an_option(text: str, size: int) -> None:
    assert byte_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "4G", "GiB", "-1", "0", "0.1", "1e9", "4 GiB 2", "½GiB", "4,5GB", "٣GB", "9" * 400]
)
def test_byte_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size such as 4GiB, 500MB or 1000000, got"):
        byte_size(text)


def test_server_command_refuses_a_memory_budget_that_is_no_size() -> None:
    with pytest.raises(OptionError, match="expected a size such as 4GiB") as caught:
        aip("server start --memory-budget much")
    assert "--memory-budget" in caught.value.where


def test_server_command_tells_of_a_server_that_lives_but_does_not_answer(
    embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aip("server start")
    state = local.running(embedded)
    assert state is not None
    os.kill(state.pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(local, "START_SECONDS", 3.0)
            patch.setattr(local, "HEALTH_SECONDS", 0.2)
            for line in ("server start", "server status", "server stop"):
                with pytest.raises(ServerError, match=f"process {state.pid}, but does not answer") as caught:
                    aip(line)
                assert caught.value.where == state.url
                assert caught.value.fix.endswith(f"kill -9 {state.pid}")
    finally:
        os.kill(state.pid, signal.SIGCONT)
    assert local.running(embedded) == state
    os.kill(state.pid, signal.SIGKILL)  # the state file stays
    while local.exists(state.pid):
        time.sleep(0.01)
    assert not aip("server status").running  # type: ignore[attr-defined]


def test_server_command_stops_a_server_that_answers_only_when_asked_again(
    embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aip("server start")
    state = local.running(embedded)
    assert state is not None
    exists = local.exists

    def go_on(pid: int) -> bool:  # called between the two questions
        monkeypatch.setattr(local, "HEALTH_SECONDS", 30.0)
        if not exists(pid):
            return False
        os.kill(pid, signal.SIGCONT)
        return True

    monkeypatch.setattr(local, "exists", go_on)
    monkeypatch.setattr(local, "HEALTH_SECONDS", 0.2)
    os.kill(state.pid, signal.SIGSTOP)
    assert aip("server status").running  # type: ignore[attr-defined]
    monkeypatch.setattr(local, "HEALTH_SECONDS", 0.2)
    os.kill(state.pid, signal.SIGSTOP)
    assert local.stop(embedded)
    assert not exists(state.pid)


def test_server_command_runs_in_the_foreground_until_interrupted(embedded: Path) -> None:
    command = [sys.executable, "-m", "aip_magics", "server", "start", "--foreground"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": ROOT}, stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    end = time.monotonic() + 30
    while local.running(embedded) is None:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    state = local.running(embedded)
    assert state is not None
    again = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, check=False, timeout=60
    )
    assert again.returncode == 1
    assert "a server is already running" in again.stderr
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does it
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "serving" in errors
    assert "stopped" in errors
    assert state.token not in errors
    assert not local.exists(state.pid)


def test_server_disk_shows_what_holds_how_much_and_prunes_what_is_confirmed(
    embedded: Path, iris_export: Path, tmp_path: Path
) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-m", "aip_magics", "server", "disk", *words]
        return subprocess.run(
            command, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, check=True
        ).stdout

    assert run().splitlines() == [f"0 B in {embedded}", "nothing is unused"]
    code = """if True:
        import sys, joblib
        from pathlib import Path
        from aip_magics.commands.common.staging import stage
        stage(joblib.load(Path(sys.argv[1]) / "model.joblib"), Path(sys.argv[2]) / "staging", "iris")
    """
    # In a process of its own: what a live process has saved is in use.
    subprocess.run(
        [sys.executable, "-c", code, iris_export, embedded], env={**os.environ, "PYTHONPATH": ROOT}, check=True
    )
    [saved] = embedded.glob("staging/[!.]*")
    shown = run()
    assert re.search(r"^saved models of notebooks +1 +[\d.]+ kB +[\d.]+ kB$", shown, re.MULTILINE)
    assert re.search(r"^to free [\d.]+ kB that nothing uses: aip-magics server disk --prune$", shown, re.MULTILINE)
    shown = run("--prune")
    assert re.search(rf"^saved models of notebooks +{saved.name[:12]} +[\d.]+ kB$", shown, re.MULTILINE)
    assert re.search(r"^nothing was deleted; to free .* kB: aip-magics server disk --prune --yes$", shown, re.MULTILINE)
    assert saved.is_dir()
    report = json.loads(run("--format", "json"))
    assert report["unused"] == [{"kind": "staging", "name": saved.name, "bytes": report["unusedBytes"]}]
    assert {kind["name"]: kind["unusedBytes"] for kind in report["kinds"]}["staging"] == report["unusedBytes"]
    pruned = json.loads(run("--prune", "--yes", "--format", "json"))
    assert pruned["deleted"] == report["unused"]
    assert pruned["freedBytes"] == report["unusedBytes"]
    assert pruned["bytes"] == pytest.approx(report["bytes"] - report["unusedBytes"], abs=8192)  # marks of use
    assert not saved.exists()
    assert local.running(embedded) is None  # no server was started
    usage = aip("server disk --prune --yes")
    assert isinstance(usage, DiskUsage)
    assert "freed 0 B" in html.of(usage)

"""%aip_upload and %aip_pull in a real shell: the value, what is told, a directory that is a variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aip_magics.errors import OptionError


def test_aip_upload_and_pull_again(shell: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my export"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"model")
    shell.user_ns.update(folder=folder, place="gs://models-of-mine/iris/v1")
    plan = shell.run_line_magic("aip_upload", "$folder $place --dry-run")
    assert [file.name for file in plan.send] == ["model.bin"]
    (stored,) = shell.run_line_magic("aip_upload", "$folder $place")
    told = capsys.readouterr().out
    assert (stored.uri, stored.size) == ("gs://models-of-mine/iris/v1/model.bin", 5)
    assert "1 file to upload (5 B)" in told
    assert "created bucket gs://models-of-mine (us-central1)" in told
    assert "uploaded or copied 1 of 1 files, checksums verified" in told
    assert stored.crc32c in told
    shell.user_ns["new"] = tmp_path / "new"
    assert shell.run_line_magic("aip_pull", "$place $new -o fetched") is None
    (fetched,) = shell.user_ns["fetched"]
    assert fetched.path.read_bytes() == b"model"


def test_aip_upload_tells_mistakes(shell: Any) -> None:
    with pytest.raises(OptionError) as caught:
        shell.run_line_magic("aip_upload", ". gs://models-of-mine/x --delete-extras")
    assert caught.value.message == "unknown option --delete-extras"
    assert "--delete-extra" in caught.value.fix

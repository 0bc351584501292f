"""Mistyped origins: the fix says what was meant, and works when followed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from aip_magics.errors import ModelDirError

LINES = ("aip_deploy --dry-run -q --origin", "aip_check -q", "aip_local_predict -q --model-dir")


def run(shell: Any, line: str, origin: str) -> Any:
    """Run a magic with this origin and one instance."""
    magic, _space, options = line.partition(" ")
    body = "[[5.1, 3.5, 1.4, 0.2]]" if "predict" in line else "test: {instances: [[5.1, 3.5, 1.4, 0.2]]}"
    return shell.run_cell_magic(magic, f"{options} {origin}", body)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("typed", ["clf", "{clf}"])
def test_origins_a_variable_without_dollar_is_suggested(shell: Any, iris_data: Any, line: str, typed: str) -> None:
    shell.user_ns["clf"] = LogisticRegression(max_iter=1000).fit(*iris_data)
    with pytest.raises(ModelDirError, match="no such file or directory: ") as caught:
        run(shell, line, typed)
    assert caught.value.fix == "use $clf for the variable of that name"
    if typed == "clf":
        assert run(shell, line, caught.value.fix.split()[1]) is not None


def test_origins_a_path_in_a_variable_is_suggested(shell: Any, iris_export: Path) -> None:
    shell.user_ns["path"] = str(iris_export)
    with pytest.raises(ModelDirError) as caught:
        run(shell, LINES[0], "path")
    assert caught.value.fix == "use $path for the variable of that name"


def test_origins_a_directory_wins_over_a_variable(
    shell: Any, iris_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(iris_export, "clf")
    shell.user_ns["clf"] = LogisticRegression()
    assert run(shell, LINES[0], "clf") is not None


def test_origins_a_variable_that_is_no_model_is_not_suggested(shell: Any) -> None:
    shell.user_ns["clf"] = [1, 2]
    with pytest.raises(ModelDirError) as caught:
        run(shell, LINES[0], "clf")
    assert "$clf" not in caught.value.fix


@pytest.mark.parametrize("line", LINES)
def test_origins_a_file_url_has_a_fix_that_works(shell: Any, iris_export: Path, line: str) -> None:
    with pytest.raises(ModelDirError, match="expected a local path or a gs:// URI, got file://…") as caught:
        run(shell, line, iris_export.as_uri())
    assert run(shell, line, caught.value.fix.removeprefix("use the path ")) is not None


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("scheme", ["https", "s3"])
def test_origins_a_url_is_no_origin(shell: Any, line: str, scheme: str) -> None:
    with pytest.raises(ModelDirError, match=f"expected a local path or a gs:// URI, got {scheme}://…") as caught:
        run(shell, line, f"{scheme}://example.com/model.joblib")
    assert caught.value.fix == "download the files and use the local path"

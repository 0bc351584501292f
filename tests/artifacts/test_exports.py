from __future__ import annotations

from pathlib import Path

import pytest

from aip_magics.artifacts import ResolvedExport, inspect_model_dir, resolve_export
from aip_magics.errors import ModelDirError


def export(folder: Path, *variables: str, file: str = "saved_model.pb") -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / file).write_bytes(b"\x08\x01")
    for name in variables:
        (folder / "variables" / name).touch()
    return folder


WHOLE = ("variables.index", "variables.data-00000-of-00002", "variables.data-00001-of-00002")


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt", "model.joblib", "model.bst"])
def test_exports_take_a_directory_with_a_model_as_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    export(tmp_path / "1587877383942", *WHOLE)
    assert resolve_export(tmp_path) == ResolvedExport(tmp_path)
    assert inspect_model_dir(tmp_path).newest_export is None


def test_exports_leave_directories_without_models_to_others(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "2024").mkdir()
    for path in (tmp_path, tmp_path / "nowhere"):
        assert resolve_export(path) == ResolvedExport(path)


def test_exports_choose_the_newest_by_number_not_by_letter(tmp_path: Path) -> None:
    export(tmp_path / "9999", *WHOLE)
    export(tmp_path / "1487877383942")  # a model without variables
    export(tmp_path / "best")
    newest = tmp_path / "1487877383942"
    assert resolve_export(tmp_path) == ResolvedExport(
        newest, f"the newest export of {tmp_path.name} is {newest.name}, older ones: 1"
    )
    assert inspect_model_dir(tmp_path).newest_export == newest.name


@pytest.mark.parametrize(
    ("variables", "lack"),
    [
        (WHOLE[1:], "variables/variables.index"),
        (WHOLE[:2], "variables/variables.data-00001-of-00002"),
        (WHOLE[:1], "variables/variables.data-00000-of-00001"),
    ],
)
def test_exports_skip_and_name_an_incomplete_one(tmp_path: Path, variables: tuple[str, ...], lack: str) -> None:
    export(tmp_path / "1587877383942", *variables)
    with pytest.raises(ModelDirError, match=f"found no complete export: 1587877383942 .no {lack}"):
        resolve_export(tmp_path)
    assert inspect_model_dir(tmp_path).newest_export is None
    whole = export(tmp_path / "1487877383942", *WHOLE, file="saved_model.pbtxt")
    note = f"the newest export of {tmp_path.name} is {whole.name}; incomplete: 1587877383942 (no {lack})"
    assert resolve_export(tmp_path) == ResolvedExport(whole, note)


def test_exports_recognise_a_directory_one_level_too_high(tmp_path: Path) -> None:
    only = export(tmp_path / "export")
    with pytest.raises(ModelDirError, match="one directory deeper") as caught:
        resolve_export(tmp_path)
    assert caught.value.fix == f"use {only}"
    export(tmp_path / "another")
    with pytest.raises(ModelDirError) as caught:
        resolve_export(tmp_path)
    assert caught.value.fix == "use one of its subdirectories: another, export"


@pytest.mark.parametrize("part", ["variables", "assets"])
def test_exports_recognise_a_directory_one_level_too_low(tmp_path: Path, part: str) -> None:
    folder = export(tmp_path / "1587877383942", *WHOLE)
    (folder / part).mkdir(exist_ok=True)
    with pytest.raises(ModelDirError, match=f"{part}/ is only part of a SavedModel") as caught:
        resolve_export(folder / part)
    assert caught.value.fix == f"use {folder}"

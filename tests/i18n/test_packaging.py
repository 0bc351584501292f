"""A wheel has the compiled catalogues, and not their sources."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import catalogues
import pytest
import uv
from babel.messages.mofile import read_mo

from aip_magics import i18n

ROOT = Path(__file__).parents[2]


@pytest.mark.network  # hatchling and Babel come from the registry, as they do for a user
def test_a_wheel_built_from_the_sdist_has_the_compiled_catalogue(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".*", "*.mo", "__pycache__", "tests", "notebooks", "build", "dist")
    shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored)
    shutil.copy(ROOT / ".gitignore", tmp_path / "checkout")
    # As `pip install` does from an sdist: the wheel is built from the sdist's content.
    command = [uv.find_uv_bin(), "build", "--quiet", "--out-dir", tmp_path / "dist", tmp_path / "checkout"]
    subprocess.run(command, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if name.endswith((".po", ".pot"))] == []
        for language in catalogues.OTHERS:
            name = f"aip_magics/i18n/locale/{language}/LC_MESSAGES/{i18n.DOMAIN}.mo"
            compiled = read_mo(io.BytesIO(archive.read(name)))
            assert catalogues.texts_of(compiled) == catalogues.texts_of(catalogues.read(catalogues.source_of(language)))

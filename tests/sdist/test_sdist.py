"""What %aip_package makes is built and imported for real; its notes are those of the text it was given."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from aip_magics.errors import InputError
from aip_magics.prediction.packages import install
from aip_magics.prediction.packages.archives import examine
from aip_magics.sdist import package


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def members(archive: Path) -> list[str]:
    with tarfile.open(archive) as file:
        return sorted(name.partition("/")[2] for name in file.getnames())


def run(folder: Path, code: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_sdist_of_a_module(tmp_path: Path) -> None:
    module = tmp_path / "my_code.py"
    module.write_text("import json\nimport numpy\nfrom sklearn.base import BaseEstimator\nVALUE = '값'\n", "utf-8")
    made = package(module, output=tmp_path / "dist")
    assert made.path == tmp_path / "dist" / "my_code-0.1.tar.gz"
    assert (made.name, made.version, made.modules, made.notes) == ("my_code", "0.1", ("my_code",), ())
    assert made.to_json()["path"] == str(made.path)
    assert members(made.path) == ["PKG-INFO", "my_code.py", "setup.py"]
    assert examine(made.path).pyproject is None
    folder = install([made.path], sys.executable, tmp_path)
    assert run(folder, "import my_code; print(ascii(my_code.VALUE))") == ascii("값")
    assert (folder / "my_code-0.1.dist-info").is_dir()


def test_sdist_of_the_same_files_has_the_same_bytes(tmp_path: Path) -> None:
    module = tmp_path / "my_code.py"
    module.write_text("VALUE = 1\n")
    first = package(module, output=tmp_path).path.read_bytes()
    os.utime(module, (1, 1))
    module.chmod(0o700)
    assert package(module, output=tmp_path / "other").path.read_bytes() == first
    module.write_text("VALUE = 2\n")
    assert package(module, output=tmp_path).path.read_bytes() != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_code-0.1.tar.gz", "my_code.py", "other"]


@pytest.mark.slow
def test_sdist_of_a_package_directory(tmp_path: Path) -> None:
    files = {
        "deep/__init__.py": "from deep.inner.part import VALUE",
        "deep/inner/__init__.py": "",
        "deep/inner/part.py": "import os\nVALUE = open(os.path.join(os.path.dirname(__file__), 'words.txt')).read()",
        "deep/inner/words.txt": "words",
        "deep/loose/more.txt": "in no package of its own",
        "deep/__pycache__/part.pyc": "",
        "deep/.hidden": "",
        "deep/.git/config": "",
        "deep/build/lib/x.py": "",
        "deep/dist/__init__.py": "KEPT = 1",
        "deep/venv/pyvenv.cfg": "",
    }
    root = tree(tmp_path, files) / "deep"
    (root / "away").symlink_to("/")
    made = package(root, name="my-deep.code", version="1.0.2", output=tmp_path / "out")
    assert made.path.name == "my_deep_code-1.0.2.tar.gz"
    assert made.modules == ("deep",)
    inside = [
        "__init__.py",
        "dist/__init__.py",
        "inner/__init__.py",
        "inner/part.py",
        "inner/words.txt",
        "loose/more.txt",
    ]
    assert members(made.path) == sorted(["PKG-INFO", "setup.py", *(f"deep/{name}" for name in inside)])
    folder = install([made.path], sys.executable, tmp_path)
    assert run(folder, "import deep, deep.dist; print(deep.VALUE)") == "words"
    assert (folder / "deep" / "loose" / "more.txt").exists()


@pytest.mark.slow
def test_sdist_of_a_directory_of_modules(tmp_path: Path) -> None:
    files = {
        "one.py": "import two, inner\nVALUE = two.VALUE",
        "two.py": "VALUE = 2",
        "inner/__init__.py": "",
        "n.md": "",
    }
    made = package(tree(tmp_path / "code", files), output=tmp_path)
    assert (made.name, made.modules, made.notes) == ("code", ("inner", "one", "two"), ())
    assert "n.md" not in members(made.path)
    assert run(install([made.path], sys.executable, tmp_path), "import one; print(one.VALUE)") == "2"


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("if (n := 1): pass", "m.py, line 1: runtime 2.11 has Python 3.7: Assignment expressions"),
        ("def f(a, /): pass", "Positional-only"),
        ("match 1:\n    case 1: pass", "Pattern matching"),
        ("def f():\n    import lightgbm", "m.py, line 2: runtime 2.11 is not known to have lightgbm; add lightgbm to"),
        ("import zoneinfo", "zoneinfo requires Python 3.9; runtime 2.11 has Python 3.7"),
        ("from __main__ import Thing", "nothing can be imported from __main__"),
        ("import distutils, joblib, scipy.sparse, six, m\nfrom . import x", ""),
    ],
)
def test_sdist_lint_notes(source: str, note: str, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(source)
    notes = package(tmp_path / "m.py", output=tmp_path).notes
    assert len(notes) == bool(note)
    assert note in "".join(notes)


def test_sdist_lint_notes_are_those_of_the_runtime(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("import xgboost\nf'{1}'")
    assert package(tmp_path / "m.py", output=tmp_path, runtime_version="2.11").notes == ()
    old = package(tmp_path / "m.py", output=tmp_path, runtime_version="1.2").notes
    assert "runtime 1.2 is not known to have xgboost" in "".join(old)
    assert "Format strings" in package(tmp_path / "m.py", output=tmp_path, runtime_version="1.14").notes[0]


@pytest.mark.parametrize(
    ("files", "path", "options", "text"),
    [
        ({}, "nothing.py", {}, "no such module"),
        ({"a.txt": ""}, "a.txt", {}, "not a Python module"),
        ({"my-code.py": ""}, "my-code.py", {}, "cannot be imported"),
        ({"code/setup.py": ""}, "code", {}, "already has a setup.py"),
        ({"code/notes.md": ""}, "code", {}, "no module or package"),
        ({"code/1st/__init__.py": ""}, "code", {}, "cannot be imported"),
        ({"m.py": "%matplotlib inline"}, "m.py", {}, "invalid Python syntax"),
        ({"m.py": "x = 1\ndef (:"}, "m.py", {}, "m.py, line 2"),
        ({"m.py": "\0"}, "m.py", {}, "invalid Python syntax"),
        ({"m.py": ""}, "m.py", {"name": "../m"}, "invalid package name"),
        ({"m.py": ""}, "m.py", {"version": "new"}, "invalid package version"),
        ({"m.py": ""}, "m.py", {"runtime_version": "2.10"}, "unknown runtime version"),
        ({"m.py": "", "file": ""}, "m.py", {"output": "file"}, "could not write the package"),
    ],
)
def test_sdist_refuses_what_cannot_be_packaged(
    files: dict[str, str], path: str, options: dict[str, str], text: str, tmp_path: Path
) -> None:
    tree(tmp_path, files)
    output = tmp_path / options.pop("output", "dist")
    with pytest.raises(InputError) as caught:
        package(tmp_path / path, output=output, **options)
    assert text in "\n".join(caught.value.format_lines())
    assert caught.value.fix
    assert not (tmp_path / "dist").exists()

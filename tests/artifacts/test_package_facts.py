"""What source distributions and wheels say about themselves, by their text; nothing of them is run."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics.artifacts import packages
from aip_magics.artifacts.packages import FileRead, PackageFacts, package_facts
from aip_magics.artifacts.packages import bounds as archive_reader
from aip_magics.sdist import package

ROUTINE = """
class Routine:
    @classmethod
    def from_path(cls, model_dir):
        return cls()

    def predict(self, instances, **kwargs):
        return instances
"""


def sdist(folder: Path, files: dict[str, str], name: str = "own-0.1") -> Path:
    """A source distribution with these files, below `NAME-VERSION/`."""
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            info = tarfile.TarInfo(f"{name}/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def setup(**keywords: object) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
    return f"from setuptools import setup\nsetup({given})\n"


def facts(folder: Path, files: dict[str, str], name: str = "own-0.1") -> PackageFacts:
    return packages.read(sdist(folder, files, name))


def routine(folder: Path, code: str, name: str = "own.Routine", **more: str) -> packages.package_facts.ClassFacts:
    files = {"setup.py": setup(name="own", py_modules=["own", *more]), "own.py": code}
    return facts(folder, {**files, **{f"{module}.py": text for module, text in more.items()}}).class_facts(name)


def test_packages_read_a_source_distribution(tmp_path: Path) -> None:
    keywords = {"name": "own-code", "version": "0.2", "py_modules": ["own"], "install_requires": ["requests>=2", "six"]}
    found = facts(tmp_path, {"setup.py": setup(**keywords, python_requires=">=3.5"), "own.py": ROUTINE})
    assert (found.name, found.version, found.modules, found.top_names) == ("own-code", "0.2", ("own",), ("own",))
    assert (found.requires, found.python_requires) == (("requests>=2", "six"), ">=3.5")
    assert (found.problem, found.complete, found.lacking, found.is_wheel) == ("", True, (), False)
    assert found.python_files == ("own-0.1/own.py",)


def test_packages_read_a_wheel(tmp_path: Path) -> None:
    path = tmp_path / "own-0.3-cp37-cp37m-manylinux1_x86_64.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("own/__init__.py", "from own.deep import Routine")
        file.writestr("own/deep.py", ROUTINE)
        file.writestr("own/fast.cpython-37m-x86_64-linux-gnu.so", b"\x7fELF")
        file.writestr("own-0.3.data/scripts/tool.py", "")
        metadata = "Metadata-Version: 2.1\nName: own\nVersion: 0.3\nRequires-Python: >=3.7\nRequires-Dist: six\n"
        file.writestr("own-0.3.dist-info/METADATA", metadata + 'Requires-Dist: pytest ; extra == "test"\n\nRequires: x')
    found = packages.read(path)
    assert (found.name, found.version, found.tags) == ("own", "0.3", "cp37-cp37m-manylinux1_x86_64")
    assert (found.requires, found.python_requires) == (("six",), ">=3.7")
    assert (found.modules, found.compiled) == (("own", "own.deep", "tool"), ("own.fast",))
    inside = found.class_facts("own.Routine")
    assert (inside.found, inside.installed, inside.file) == (True, True, "own/deep.py")
    assert not found.class_facts("own.fast.Routine").certain


def test_packages_read_what_aip_package_builds(tmp_path: Path) -> None:
    (tmp_path / "own_code.py").write_text(ROUTINE)
    found = packages.read(package(tmp_path / "own_code.py", output=tmp_path / "dist").path)
    assert (found.name, found.top_names, found.lacking) == ("own_code", ("own_code",), ())
    assert found.class_facts("own_code.Routine").installed is True


@pytest.mark.slow
def test_packages_read_what_setuptools_builds(tmp_path: Path) -> None:
    """A package in src/, with a README that is read."""
    text = "import io\nfrom setuptools import find_packages, setup\n"
    text += "setup(name='own', version='1.0', packages=find_packages('src'), package_dir={'': 'src'},\n"
    text += "      install_requires=['six'], long_description=io.open('README.md').read())\n"
    (tmp_path / "src" / "own").mkdir(parents=True)
    for name, content in {"setup.py": text, "README.md": "x", "src/own/__init__.py": ROUTINE}.items():
        (tmp_path / name).write_text(content)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "sdist", "--formats=gztar"], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "dist").iterdir()
    found = packages.read(path)
    assert (found.name, found.version, found.modules, found.requires) == ("own", "1.0", ("own",), ("six",))
    assert (found.lacking, found.problem) == ((), "")
    inside = found.class_facts("own.Routine")
    assert (inside.found, inside.installed, inside.file) == (True, True, "own-1.0/src/own/__init__.py")


@pytest.mark.parametrize(
    ("code", "lacking"),
    [
        ("open('README.md').read()", ("README.md",)),
        ("with open('there.txt') as a, open('gone.txt', 'r', encoding='utf-8') as b: pass", ("gone.txt",)),
        ("open(os.path.join(os.path.dirname(__file__), 'requirements.txt'))", ("requirements.txt",)),
        ("here = os.getcwd()\nopen(os.path.join(here, 'docs', 'a.md'))", ("docs/a.md",)),
        ("Path('VERSION').read_text()", ("VERSION",)),
        ("(Path(__file__).parent / 'VERSION').read_text()", ("VERSION",)),
        ("def read(name):\n    return open(os.path.join('.', name)).read()\nread('LICENSE')", ("LICENSE",)),
        ("NAME = 'a.txt'\nopen(NAME)", ("a.txt",)),
        ("try:\n    open('README.md')\nexcept OSError:\n    pass", ()),
        ("if os.path.exists('README.md'):\n    open('README.md')", ()),
        ("open('made.txt', 'w')", ()),
        ("open(os.environ['X'])", ()),
        ("open('/etc/hosts')", ()),
        ("def never():\n    open('README.md')", ()),
        ("open('there.txt'); open('./there.txt')", ()),
    ],
)
def test_packages_name_missing_files_that_setup_reads(code: str, lacking: tuple[str, ...], tmp_path: Path) -> None:
    text = f"import os\nfrom pathlib import Path\n{code}\n{setup(name='own', py_modules=['own'])}"
    found = facts(tmp_path, {"setup.py": text, "own.py": "", "there.txt": ""})
    assert tuple(read.name for read in found.lacking) == lacking
    assert all(read.line >= 3 for read in found.lacking)


def test_packages_name_missing_files_of_the_configuration(tmp_path: Path) -> None:
    config = (
        "[metadata]\nname = own\nlong_description = file: README.md, there.txt\n[options]\ninstall_requires =\n  six\n"
    )
    found = facts(tmp_path, {"setup.py": setup(), "setup.cfg": config, "there.txt": ""})
    assert (found.lacking, found.requires) == ((FileRead("README.md", 0),), ("six",))
    project = '[project]\nname = "own"\nversion = "3"\nreadme = "README.rst"\ndependencies = ["six"]\n'
    found = facts(tmp_path, {"pyproject.toml": project + 'requires-python = ">=3.8"\n', "own.py": ""})
    assert (found.name, found.version, found.requires, found.python_requires) == ("own", "3", ("six",), ">=3.8")
    assert found.lacking == (FileRead("README.rst", 0),)


@pytest.mark.parametrize(
    ("keywords", "installed"),
    [
        ({"py_modules": ["own"]}, True),
        ({"scripts": ["own.py"]}, True),  # as Google's sample does
        ({"py_modules": ["other"]}, False),
        ({"packages": ["pkg"]}, False),
        ({}, None),
    ],
)
def test_packages_tell_whether_the_module_is_installed(
    keywords: dict[str, object], installed: bool | None, tmp_path: Path
) -> None:
    found = facts(tmp_path, {"setup.py": setup(name="own", **keywords), "own.py": ROUTINE})
    assert found.class_facts("own.Routine").installed is installed


def test_packages_tell_a_setup_that_computes_what_it_installs(tmp_path: Path) -> None:
    text = "from setuptools import setup\nsetup(name='own', py_modules=[name for name in ['own']], **{})"
    assert facts(tmp_path, {"setup.py": text, "own.py": ROUTINE}).class_facts("own.Routine").installed is None
    found = facts(tmp_path, {"setup.py": "def broken(:", "own.py": ROUTINE})
    assert found.class_facts("own.Routine").installed is None
    assert found.name == "own"


def test_class_lookup_finds_the_routine(tmp_path: Path) -> None:
    found = routine(tmp_path, ROUTINE)
    assert (found.found, found.from_path, found.from_path_takes_dir, found.predict) == (True, True, True, True)
    assert (found.predict_args, found.has_kwargs, found.certain) == (("self", "instances"), True, True)
    assert (found.file, found.line) == ("own-0.1/own.py", 2)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ("def predict(self, instances): pass", {"from_path": False, "has_kwargs": False, "certain": True}),
        ("def predict(self, instances, probs=False, **kw): pass", {"predict_args": ("self", "instances", "probs")}),
        ("def from_path(model_dir): pass", {"from_path": True, "from_path_takes_dir": True, "predict": False}),
        ("def from_path(self, model_dir): pass", {"from_path_takes_dir": False}),
        ("@staticmethod\n    def from_path(model_dir): pass", {"from_path_takes_dir": True}),
        ("@classmethod\n    def from_path(cls): pass", {"from_path_takes_dir": False}),
        ("@classmethod\n    def from_path(cls, *args): pass", {"from_path_takes_dir": True}),
        ("@classmethod\n    def from_path(cls, model_dir, other): pass", {"from_path_takes_dir": False}),
        ("@classmethod\n    def from_path(cls, model_dir, other=1): pass", {"from_path_takes_dir": True}),
        ("@logged\n    def predict(self, a): pass", {"predict": True, "predict_args": None, "certain": False}),
        ("predict = print", {"predict": True, "predict_args": None, "certain": False}),
        ("async def predict(self, instances): pass", {"predict_args": ("self", "instances")}),
        ("if True:\n        def predict(self, a): pass", {"predict_args": ("self", "a")}),
    ],
)
def test_class_lookup_finds_methods(methods: str, expected: dict[str, object], tmp_path: Path) -> None:
    found = routine(tmp_path, f"class Routine(object):\n    {methods}\n")
    assert {name: getattr(found, name) for name in expected} == expected


def test_class_lookup_tells_where_a_class_comes_from(tmp_path: Path) -> None:
    cases = {
        "from impl import Routine": True,
        "from impl import Routine as Other\nRoutine = Other": True,
        "import impl\nRoutine = impl.Routine": True,
        "from impl import *": True,
        "try:\n    from impl import Routine\nexcept ImportError:\n    pass": True,
        "from impl import Routine as Base\nclass Routine(Base): pass": True,
        "import impl\nclass Routine(impl.Routine): pass": True,
        "from elsewhere import Routine": None,
        "from elsewhere import *": None,
        "Routine = make()": None,
        "from own import Routine": None,  # in a circle
        "def broken(:": None,
        "print 'Python 2'": None,
        "X = 1": False,
        "class routine: pass": False,
    }
    for code, expected in cases.items():
        found = routine(tmp_path, code, impl=ROUTINE)
        assert (found.found, found.certain) == (expected is True, expected is not None), code
        assert found.from_path == (expected is True), code
        assert bool(found.why) == (expected is not True), code
    base = routine(tmp_path, "from elsewhere import Base\nclass Routine(Base):\n    pass")
    assert (base.found, base.predict, base.certain) == (True, False, False)
    assert "elsewhere" not in base.why
    assert "Base" in base.why


def test_class_lookup_follows_other_names_of_a_class(tmp_path: Path) -> None:
    found = routine(tmp_path, "X = 1", impl=ROUTINE, other=ROUTINE.replace("Routine", "Other"))
    assert found.near == ("impl.Routine", "other.Other")
    assert found.why == "module own has no class Routine"
    assert routine(tmp_path, ROUTINE, name="wrong.Routine").why == "the package has no module wrong"
    inner = routine(
        tmp_path, "class Outer:\n" + "\n".join(f"    {x}" for x in ROUTINE.splitlines()), "own.Outer.Routine"
    )
    assert inner.predict_args == ("self", "instances")


def test_class_lookup_follows_relative_imports(tmp_path: Path) -> None:
    files = {
        "setup.py": "from setuptools import setup, find_packages\nsetup(name='own', packages=find_packages())",
        "pkg/__init__.py": "from .sub import Routine",
        "pkg/sub/__init__.py": "from ..impl import Routine",
        "pkg/impl.py": ROUTINE,
        "loose/code.py": ROUTINE,
    }
    found = facts(tmp_path, files)
    inside = found.class_facts("pkg.Routine")
    assert (inside.found, inside.certain, inside.installed, inside.file) == (True, True, True, "own-0.1/pkg/impl.py")
    assert found.class_facts("loose.code.Routine").installed is False
    assert found.top_names == ("pkg",)


@pytest.mark.parametrize("name", ["x.tar.gz", "x.whl", "x.zip", "x.rar"])
def test_packages_reject_what_is_no_archive(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"<!DOCTYPE html>")
    found = packages.read(tmp_path / name)
    assert found.problem
    assert found.fix
    assert not found.complete
    assert not packages.read(tmp_path / f"gone-{name}").complete
    assert not found.class_facts("own.Routine").certain


def test_packages_stop_at_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_facts, "MAX_BYTES", 1 << 20)
    path = sdist(tmp_path, {"setup.py": setup(name="own"), "zeros": "\0" * (3 << 20), "own.py": ROUTINE})
    found = packages.read(path)
    assert (found.complete, found.problem, found.lacking) == (False, "", ())
    assert "only the first 1 MiB" in found.unread
    assert not found.class_facts("own.Routine").certain
    monkeypatch.setattr(archive_reader, "UNPACKED_BYTES", 2 << 20)
    assert "unpacks to more than" in packages.read(path).problem


def test_packages_reject_a_member_with_a_false_size(tmp_path: Path) -> None:
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("setup.py", bytes(8 << 20))
    honest = (8 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, (100).to_bytes(4, "little")))
    assert packages.read(path).problem


HURTING = {
    "brackets": "(" * 50_000,
    "signs": "-" * 100_000 + "1",
    "sum": "x" + "+x" * 50_000,
    "nothing": "\0",
    "letters": "\xff" * 10,
    "words": "class " * 1000,
    "lists": "[" * 99 + "]" * 99,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HURTING)
def test_packages_answer_hostile_source_texts(kind: str, tmp_path: Path) -> None:
    """In a process of its own: if Python's parser fell, it would take the tests along."""
    path = sdist(tmp_path, {"setup.py": HURTING[kind], "own.py": HURTING[kind]})
    code = """
import pathlib, sys
from aip_magics.artifacts import packages
print(packages.read(pathlib.Path(sys.argv[1])).class_facts("own.Routine").found)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr[-500:]


@settings(max_examples=up_to(80), deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6), st.booleans())
def test_packages_answer_every_mutated_archive(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: bytes, cut: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = sdist(folder, {"setup.py": setup(name="own"), "own.py": ROUTINE}, "mutated-0.1").read_bytes()
    at %= len(whole)
    path = folder / "mutated-0.2.tar.gz"
    path.write_bytes(whole[:at] + change + (b"" if cut else whole[at + len(change) :]))
    found = packages.read(path)
    assert found.complete or found.problem

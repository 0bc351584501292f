"""What may be built without a question: nothing is run to find that out, and what is not understood is asked about."""

from __future__ import annotations

import io
import re
import tarfile
import time
from pathlib import Path

import pytest

from aip_magics.artifacts import packages
from aip_magics.artifacts.packages import build_code
from aip_magics.sdist import package

SETUP = "from setuptools import find_packages, setup\n"
BACKEND = '[build-system]\nrequires = ["setuptools>=61", "wheel"]\nbuild-backend = "setuptools.build_meta"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "own"\n'
FLIT = HATCH.replace("hatchling.build", "flit_core.buildapi").replace("hatchling", "flit_core")
POETRY = """
[build-system]
requires = ["poetry-core>=1"]
build-backend = "poetry.core.masonry.api"
[tool.poetry]
name = "own"
version = "1"
packages = [{include = "own"}]
"""


def runs(folder: Path, **files: str | bytes) -> tuple[str, ...]:
    """What building `own-1.tar.gz` of these files would run; `__` at the end is a dot: `setup__py`."""
    path = folder / "own-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {"own/__init__.py": "", **files}.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo("own-1/" + re.sub(r"__(py|cfg|toml|in|PY)$", r".\1", name))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = packages.read(path)
    assert found.problem == ""
    return found.runs


PLAIN = {
    "google's routine": "from setuptools import setup\n"
    "setup(name='my_custom_code', version='0.1', scripts=['predictor.py', 'preprocess.py'])",
    "google's trainer": SETUP + "REQUIRED_PACKAGES = ['six>=1']\n"
    "setup(name='trainer', version='0.1', install_requires=REQUIRED_PACKAGES, packages=find_packages(), "
    "include_package_data=True, description='My training application package.')",
    "a README": "import os, setuptools\nhere = os.path.abspath(os.path.dirname(__file__))\n"
    "with open(os.path.join(here, 'README.md'), encoding='utf-8') as f:\n    text = f.read()\n"
    "setuptools.setup(name='own', long_description=text, package_dir={'': 'src'}, "
    "packages=setuptools.find_packages(where='src', exclude=['tests']))",
    "paths": "from pathlib import Path\nfrom setuptools import setup\nHERE = Path(__file__).resolve().parent\n"
    "if __name__ == '__main__':\n    setup(name='own', long_description=(HERE / 'README').read_text(), "
    "install_requires=open('r.txt').read().splitlines(), entry_points={'console_scripts': ['x=y:z']})",
    "distutils": "'''doc'''\nfrom distutils.core import setup\nV = '1'\nsetup(name='own', version=f'{V}.0', url='..')",
    "data": SETUP + "setup(name='own', packages=['own'], package_data={'own': ['*.txt', 'deep/**']}, zip_safe=False)",
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_packages_accept_plain_setup_scripts(name: str, tmp_path: Path) -> None:
    assert runs(tmp_path, setup__py=PLAIN[name]) == ()


def test_plain_packages_accept_what_aip_package_builds(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "deep" / "words.txt").write_text("x")
    (tmp_path / "own.py").write_text("VALUE = 1")
    for source in (tmp_path / "own.py", tmp_path / "deep"):
        assert packages.read(package(source, output=tmp_path / "dist").path).runs == ()


HOSTILE = {
    "os.system": "import os\nos.system('touch x')",
    "import": "import subprocess",
    "from os": "from os import system as setup\nsetup(name='a')",
    "star": "from setuptools import *\nsetup()",
    "cmdclass": SETUP + "setup(name='a', cmdclass={'build_py': 1})",
    "cmdclass in a table": SETUP + "more = {'cmdclass': {}}\nsetup(name='a', **more)",
    "ext_modules": SETUP + "setup(name='a', ext_modules=[])",
    "setup_requires": SETUP + "setup(name='a', setup_requires=['evil'])",
    "own commands": SETUP + "setup(name='a', entry_points={'distutils.commands': ['build_py = evil:run']})",
    "hooks in a text": SETUP + "setup(name='a', entry_points='[setuptools.finalize_distribution_options]\\nx = e:v')",
    "a script beside": SETUP + "setup(name='a', entry_points={'console_scripts': ['../../x = y:z']})",
    "options": SETUP + "setup(name='a', options={'build': {'build_lib': '/'}})",
    "script_args": SETUP + "setup(name='a', script_args=['install'])",
    "reads a secret": SETUP + "setup(name='a', long_description=open('/etc/passwd').read())",
    "reads above": SETUP + "setup(name='a', long_description=open('../x').read())",
    "reads above here": "import os\nfrom setuptools import setup\nup = os.path.dirname(os.path.dirname(__file__))\n"
    "setup(name='a', long_description=open(os.path.join(up, 'x')).read())",
    "writes": "x = open('own.py', 'w').write('x')",
    "packs a secret": SETUP + "setup(name='a', package_data={'a': ['../../../etc/passwd']})",
    "packs a script": SETUP + "setup(name='a', scripts=['/etc/passwd'])",
    "data outside": SETUP + "setup(name='a', data_files=[('../../x', ['own/__init__.py'])])",
    "finds outside": SETUP + "setup(name='a', packages=find_packages('/'))",
    "folder outside": SETUP + "setup(name='a', package_dir={'': '..'})",
    "environment": "import os\nx = os.environ['HOME']",
    "exec": "exec(open('own/version.py').read())",
    "function": "def f():\n    pass\nf()",
    "decorator": "@print\ndef f():\n    pass",
    "class": "class A(print(1)):\n    pass",
    "lambda": "(lambda: 1)()",
    "comprehension": "x = [print(i) for i in range(9)]",
    "f-string": "x = f'{print(1)}'",
    "walrus": SETUP + "setup(name=(y := print(1)))",
    "default": SETUP + "setup(name='a' if print(1) else 'b')",
    "annotation": "x: print(1) = 1",
    "format": "x = f'{1:{print(1)}}'",
    "after": SETUP + "setup(name='a')\nimport os\nos.system('x')",
    "rebound": SETUP + "setup = print\nsetup(name='a')",
    "sandbox": "import setuptools\nsetuptools.sandbox.run_setup('x')",
    "no Python": "this is no Python",
    "NUL": "x = 1\0",
    "another encoding": b"# -*- coding: utf-7 -*-\nx = 1\n",
    "ends of lines": b"x = 1  # \rimport os\n",
    "large": "# " + "x" * 70_000,
    "doubling": "a = 'xxxxxxxxxxxxxxxx'\n" + "a = a + a\n" * 60,
    "lists of lists": "a = ['x']\n" + "a = [a, a]\n" * 60,
    "a long number": "x = " + "9" * 6000,
    "deep": "x = " + "+".join(["'a'"] * 9000),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.slow
def test_plain_packages_ask_about_other_setup_scripts(name: str, tmp_path: Path) -> None:
    start = time.process_time()
    found = runs(tmp_path, setup__py=HOSTILE[name])
    assert found
    assert all(one.startswith(("setup.py, line ", "setup.py ", "could not read setup.py")) for one in found)
    assert time.process_time() - start < 5


def test_plain_packages_name_the_line(tmp_path: Path) -> None:
    text = SETUP + "import os\n" + "\n" * 9 + "os.system('x')\nsetup(name='own')\n"
    assert runs(tmp_path, setup__py=text) == ("setup.py, line 12: calls os.system",)


PLAIN_CONFIGURATIONS = {
    "setup.cfg": {
        "setup__py": "import setuptools\nsetuptools.setup()",
        "setup__cfg": "[metadata]\nname = own\nversion = attr: own.__version__\nlong_description = file: README.md\n"
        "[options]\npackages = find:\ninstall_requires =\n    six\n[options.package_data]\n* = *.txt\n[flake8]\nx = 1\n"
        "[egg_info]\ntag_build =\ntag_date = 0\n[bdist_wheel]\nuniversal = 1\n",
        "own/__init__.py": "__version__ = '1'\n",
        "MANIFEST__in": "include README.md\nrecursive-include own *.txt\nglobal-exclude *.pyc\n",
    },
    "pyproject": {
        "pyproject__toml": BACKEND + '[project]\nname = "own"\ndynamic = ["version"]\nreadme = "README.md"\n'
        '[project.scripts]\nx = "own:f"\n[tool.setuptools.packages.find]\nwhere = ["src"]\n[tool.black]\nx = 1\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "own.VERSION"}\n',
        "own/__init__.py": "VERSION: str = '1'\n",
    },
    "tools only": {"setup__py": PLAIN["data"], "pyproject__toml": "[tool.black]\nline-length = 99\n"},
    "no backend": {"setup__py": PLAIN["data"], "pyproject__toml": '[build-system]\nrequires = ["setuptools"]\n'},
    "hatch": {"pyproject__toml": HATCH + 'dynamic = ["version"]\n[tool.hatch.version]\npath = "own/__init__.py"\n'},
    "flit": {"pyproject__toml": FLIT},
    "poetry": {
        "pyproject__toml": POETRY + '[tool.poetry.dependencies]\nsix = "*"\n'
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN_CONFIGURATIONS)
def test_plain_packages_accept_plain_configurations(name: str, tmp_path: Path) -> None:
    assert runs(tmp_path, **PLAIN_CONFIGURATIONS[name]) == ()


CALLS = {"setup__py": "import setuptools\nsetuptools.setup()"}
HOSTILE_CONFIGURATIONS = {
    "backend-path": {"pyproject__toml": BACKEND + 'backend-path = ["."]\n'},
    "own backend": {"pyproject__toml": '[build-system]\nrequires = []\nbuild-backend = "own"\n'},
    "legacy by name": {"pyproject__toml": BACKEND.replace("build_meta", "build_meta:__legacy__")},
    "built with": {"pyproject__toml": BACKEND.replace('"wheel"', '"evil"')},
    "built with a URL": {"pyproject__toml": BACKEND.replace('"wheel"', '"wheel @ file:///x"')},
    "system in a text": {"pyproject__toml": 'x = """\n[build-system]\n"""\nbuild-system = {requires = []}\n', **CALLS},
    "cmdclass": {"pyproject__toml": BACKEND + '[tool.setuptools.cmdclass]\nbuild_py = "own.B"\n'},
    "extensions": {"pyproject__toml": BACKEND + "[[tool.setuptools.ext-modules]]\nname = 'x'\n"},
    "commands": {"pyproject__toml": BACKEND + '[tool.distutils.build]\nbuild-lib = "/x"\n'},
    "a plugin": {"pyproject__toml": BACKEND + "[tool.setuptools_scm]\n"},
    "uv": {"pyproject__toml": BACKEND + '[tool.uv.sources]\nsix = {path = "../x"}\n'},
    "attr imports": {
        "pyproject__toml": BACKEND + '[tool.setuptools.dynamic]\nversion = {attr = "own.VERSION"}\n',
        "own/__init__.py": "import os\nVERSION = os.getcwd()\n",
    },
    "attr of a library": {
        "pyproject__toml": BACKEND + '[tool.setuptools.dynamic]\nversion = {attr = "own.VERSION"}\n',
        "own/__init__.py": "VERSION = '1'\n",
        "own/__init__.cpython-311-x86_64-linux-gnu.so": "x",
    },
    "packs a secret": {"pyproject__toml": BACKEND + '[tool.setuptools.package-data]\nown = ["../../x"]\n'},
    "reads a secret": {"pyproject__toml": BACKEND + '[project]\nname = "own"\nreadme = "/etc/passwd"\n'},
    "hatch hooks": {"pyproject__toml": HATCH + "[tool.hatch.build.hooks.custom]\n"},
    "hatch hooks of a target": {"pyproject__toml": HATCH + "[tool.hatch.build.targets.wheel.hooks.custom]\nx = 1\n"},
    "hatch version": {"pyproject__toml": HATCH + '[tool.hatch.version]\nsource = "code"\npath = "own.py"\n'},
    "hatch includes": {"pyproject__toml": HATCH + '[tool.hatch.build.force-include]\n"/etc/passwd" = "x"\n'},
    "hatch.toml": {"pyproject__toml": HATCH, "hatch__toml": ""},
    "flit imports": {
        "pyproject__toml": FLIT + 'dynamic = ["version"]\n'
    },
    "poetry script": {
        "pyproject__toml": POETRY + 'build = "build.py"\n'
    },
    "no TOML": {"pyproject__toml": "x = = 1", **CALLS},
    "setup.cfg commands": {"setup__cfg": "[build_ext]\ninplace = 1\n", **CALLS},
    "setup.cfg build": {"setup__cfg": "[build]\nbuild-lib = ../../x\n", **CALLS},
    "setup.cfg aliases": {"setup__cfg": "[aliases]\nbdist_wheel = evil\n", **CALLS},
    "setup.cfg global": {"setup__cfg": "[global]\ncommand-packages = own\n", **CALLS},
    "setup.cfg default": {"setup__cfg": "[DEFAULT]\ncmdclass = own\n", **CALLS},
    "setup.cfg cmdclass": {"setup__cfg": "[options]\ncmdclass =\n    build_py = own.B\n", **CALLS},
    "setup.cfg setup-requires": {"setup__cfg": "[options]\nsetup-requires = evil\n", **CALLS},
    "setup.cfg fetches": {"setup__cfg": "[easy_install]\nindex_url = http://x\n", **CALLS},
    "setup.cfg attr": {"setup__cfg": "[metadata]\nversion = attr: own.evil.VERSION\n", **CALLS},
    "setup.cfg packs": {"setup__cfg": "[options.package_data]\nown = a, ../../x\n", **CALLS},
    "setup.cfg finds": {"setup__cfg": "[options.packages.find]\nwhere = ..\n", **CALLS},
    "setup.cfg folder": {"setup__cfg": "[options]\npackage_dir =\n    = ..\n", **CALLS},
    "setup.cfg hooks": {"setup__cfg": "[options.entry_points]\ndistutils.commands =\n    build = own:b\n", **CALLS},
    "setup.cfg hidden by an end of line": {"setup__cfg": b"[metadata]\nname = own\r[build]\rbuild-lib = /x\n", **CALLS},
    "MANIFEST.in": {"MANIFEST__in": "include own/../../../etc/passwd\n", **CALLS},
    "version control": {".git/config": "[core]\nfsmonitor = evil\n", **CALLS},
    "another spelling": {"Setup__PY": "import evil", "pyproject__toml": BACKEND},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_CONFIGURATIONS)
def test_plain_packages_ask_about_other_configurations(name: str, tmp_path: Path) -> None:
    assert runs(tmp_path, **HOSTILE_CONFIGURATIONS[name])


def test_plain_packages_ask_about_a_file_that_is_not_read(tmp_path: Path) -> None:
    padding = {f"own/p{number}.py": "#" * (1 << 20) for number in range(17)}  # 16 MiB of modules are read
    found = runs(tmp_path, **padding, setup__py=SETUP + "setup(name='own')")
    assert found == ("setup.py is too large to inspect",)


def test_plain_packages_know_the_backend_of_a_plain_build(tmp_path: Path) -> None:
    for text in ("", "[tool.black]\nx = 1\n", '[build-system]\nrequires = ["setuptools"]\n', BACKEND):
        assert 'build-backend = "setuptools.build_meta"' in build_code.isolated(text)

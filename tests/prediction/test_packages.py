"""Packages are really built and installed, and really imported by the interpreter they were installed for."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import SETUP, sdist, tar, wheel

from aip_magics.data_directory import is_disk_full
from aip_magics.errors import InputError, LocalFileError, PredictionError
from aip_magics.prediction import subprocess_tools
from aip_magics.prediction.packages import install
from aip_magics.prediction.packages.install_errors import build_error

pytestmark = pytest.mark.slow


def imported(folder: Path, module: str, python: str = sys.executable) -> str:
    """The `VALUE` of a module, imported by the interpreter with this directory first on its path."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}; print({module}.VALUE)"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def left(cache: Path) -> list[str]:
    """The entries of the cache, except notes and the marks of their use."""
    folder = cache / "packages"
    names = os.listdir(folder) if folder.exists() else []
    return [name for name in names if not name.endswith(".met") and name != ".use"]


def install_here(cache: Path, *files: Path, **options: object) -> Path:
    """Install as after `--trust`, unless a test passes `trusted`."""
    options.setdefault("trusted", [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()])
    return install(files, sys.executable, cache, **options)  # type: ignore[arg-type]


def test_packages_build_a_source_distribution_once(tmp_path: Path) -> None:
    counted = tmp_path / "builds"
    counting = f"open({str(counted)!r}, 'a').write(str(__import__('os').getpid()) + chr(10))\n"
    setup = counting + SETUP.format(name="own", modules=["own"], more="")
    archive = sdist(tmp_path, "own", {"own": "VALUE = 41"}, setup=setup)
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(install_here(tmp_path, archive))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 3
    assert imported(made[0], "own") == "41"
    built = counted.read_text()
    lines: list[str] = []
    assert install_here(tmp_path, archive, on_line=lines.append) == made[0]
    assert (counted.read_text(), lines) == (built, [])
    assert left(tmp_path) == [made[0].name]
    other = install_here(tmp_path, sdist(tmp_path, "own", {"own": "VALUE = 42"}))
    assert other != made[0]
    assert imported(other, "own") == "42"


def test_packages_make_the_module_of_googles_sample_importable(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='my_custom_code', version='0.1', scripts=['predictor.py'])\n"
    archive = sdist(tmp_path, "my_custom_code", {"predictor": "VALUE = 'found'"}, setup=setup)
    assert imported(install_here(tmp_path, archive), "predictor") == "found"


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("names", [["predictor", "preprocess"], ["predictor", "preprocess", "model", "utils"]])
def test_packages_install_modules_that_are_listed_as_scripts(tmp_path: Path, names: list[str], trusted: bool) -> None:
    """As the setuptools of the service does; the newest one refuses several modules beside a setup.py."""
    scripts = [f"{name}.py" for name in names]
    setup = f"from setuptools import setup\nsetup(name='my_code', version='0.1', scripts={scripts})\n"
    modules = {name: f"VALUE = {name!r}" for name in names}
    modules["predictor"] = "import preprocess\nVALUE = 'predictor with ' + preprocess.VALUE"
    archive = sdist(tmp_path, "my_code", {**modules, "unlisted": "VALUE = 1"}, setup=setup)
    folder = install_here(tmp_path, archive, **({} if trusted else {"trusted": []}))
    assert imported(folder, "predictor") == "predictor with preprocess"
    assert not (folder / "unlisted.py").exists()


def test_packages_with_unlisted_modules_are_mended_by_the_fix(tmp_path: Path) -> None:
    line = "from setuptools import setup\nsetup(name='my_code', version='0.1'{more})\n"
    modules = {"predictor": "import preprocess\nVALUE = preprocess.VALUE", "preprocess": "VALUE = 'found'"}
    archive = sdist(tmp_path, "my_code", modules, setup=line.format(more=""))
    with pytest.raises(PredictionError, match="Multiple top-level modules") as refused:
        install_here(tmp_path, archive)
    more = re.search(r"setup\(…(, py_modules=\[.*?\])\)", refused.value.fix)
    assert more
    mended = sdist(tmp_path, "my_code", modules, setup=line.format(more=more[1]))
    assert imported(install_here(tmp_path, mended), "predictor") == "found"


def test_packages_install_a_zip_with_a_package_and_data(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='deep', packages=['deep'], package_data={'deep': ['*.txt']})\n"
    code = "import os; VALUE = open(os.path.join(os.path.dirname(__file__), 'data.txt')).read()"
    path = tmp_path / "deep-0.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {"setup.py": setup, "deep/__init__.py": code, "deep/data.txt": "data"}.items():
            file.writestr(f"deep-0/{name}", text)
    assert imported(install_here(tmp_path, path), "deep") == "data"


def test_packages_keep_the_first_of_two_with_one_name(tmp_path: Path) -> None:
    first = wheel(tmp_path, "first", {"shared": "VALUE = 1", "one": "VALUE = 'one'"})
    second = wheel(tmp_path, "second", {"shared": "VALUE = 2", "two": "VALUE = 'two'"})
    lines: list[str] = []
    folder = install_here(tmp_path, first, second, on_line=lines.append)
    assert [imported(folder, name) for name in ("shared", "one", "two")] == ["1", "one", "two"]
    assert any("skipped shared.py, which was already installed" in line for line in lines)
    assert imported(install_here(tmp_path, second, first), "shared") == "2"


def test_packages_refuse_a_wheel_for_another_python(tmp_path: Path) -> None:
    found = sorted(Path.home().glob(".pyenv/versions/3.7.*/bin/python"))
    if not found:
        pytest.skip("Python 3.7 is not on this machine")
    code = "import sys; VALUE = '%d.%d' % sys.version_info[:2]"
    folder = install([wheel(tmp_path, "old", {"old": code})], str(found[-1]), tmp_path)
    assert imported(folder, "old", str(found[-1])) == "3.7"


def test_packages_pass_no_secret_to_the_build(tmp_path: Path) -> None:
    seeing = "import os; open('seen.py', 'w').write('VALUE = ' + repr(sorted(os.environ)))\n"
    setup = seeing + SETUP.format(name="seen", modules=["seen"], more="")
    secrets = {"GOOGLE_APPLICATION_CREDENTIALS": "/x", "AWS_SECRET_ACCESS_KEY": "x", "UV_INDEX_URL": "http://a:b@c/"}
    archive = sdist(tmp_path, "seen", {"seen": ""}, setup=setup)
    secrets["GH_PAT"] = "x"
    needed = {"CFLAGS": "-O1", "UV_HTTP_TIMEOUT": "60"}
    names = imported(install_here(tmp_path, archive, environ={**os.environ, **secrets, **needed}), "seen")
    assert all(f"'{name}'" in names for name in needed)
    assert not any(name in names for name in secrets)


@pytest.mark.parametrize(
    ("setup", "reason", "fix"),
    [
        ("raise RuntimeError('no compiler')", "RuntimeError: no compiler", "`.log`"),
        ("open('README.md').read()", "FileNotFoundError", "include README.md"),
        ("this is no Python", "SyntaxError: invalid syntax", "`.log`"),
        ("import a_build_tool", "ModuleNotFoundError: No module named 'a_build_tool'", "`.log`"),
        (
            SETUP.format(name="b", modules=[], more="python_requires='>=4'"),
            "Python",
            "for the Python version that predicts",
        ),
    ],
    ids=["raises", "lacks a file", "no Python", "lacks a module", "another Python"],
)
def test_packages_tell_one_that_does_not_build(setup: str, reason: str, fix: str, tmp_path: Path) -> None:
    archive = sdist(tmp_path, "b", {}, setup=setup)
    with pytest.raises(PredictionError) as caught:
        install_here(tmp_path, archive)
    error = caught.value
    assert error.kind == "FAILED_TO_LOAD_MODEL"
    head = "Failed to load model: User-provided package b-0.1.tar.gz failed to install: "
    assert error.message.startswith(head)
    assert reason in error.message
    assert fix in error.fix
    assert reason in error.log
    assert left(tmp_path) == []


def test_packages_tell_one_with_nothing_in_it(tmp_path: Path) -> None:
    archive = sdist(tmp_path, "b", {}, setup=SETUP.format(name="b", modules=["absent"], more=""))
    with pytest.raises(PredictionError, match="the package contains no modules") as caught:
        install_here(tmp_path, archive)
    assert "py_modules" in caught.value.fix
    needing = sdist(tmp_path, "b", {}, setup=SETUP.format(name="b", modules=[], more="install_requires=['pytest']"))
    assert install_here(tmp_path, needing)


def test_packages_install_a_wheel_for_an_old_python(tmp_path: Path) -> None:
    with pytest.raises(PredictionError, match="failed to install") as caught:
        install_here(tmp_path, wheel(tmp_path, "past", {"past": ""}, tag="cp27-cp27mu-manylinux1_x86_64"))
    assert "for the Python version that predicts" in caught.value.fix


def test_packages_run_nothing_when_one_is_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    good = sdist(tmp_path, "good", {}, setup=f"open({str(ran)!r}, 'w')")
    bad = tar(tmp_path / "bad.tar.gz", {"setup.py": "", "../evil.py": ""})
    with pytest.raises(
        PredictionError, match=r"package bad\.tar\.gz failed to install: archive member '\.\./evil\.py'"
    ):
        install_here(tmp_path, good, bad)
    assert not ran.exists()
    assert left(tmp_path) == []


def test_packages_name_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the package file does not exist"):
        install_here(tmp_path, tmp_path / "nothing.tar.gz")
    with pytest.raises(InputError, match="download the package"):
        install_here(tmp_path, Path("gs://bucket/x.tar.gz"))
    with pytest.raises(PredictionError, match="could not run the interpreter"):
        install([wheel(tmp_path, "x", {"x": ""})], str(tmp_path / "python"), tmp_path)


SLEEPING = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open({pids!r}, "w") as file:
    file.write("%d %d" % (os.getpid(), child.pid))
print("sleeping", file=sys.stderr, flush=True)
time.sleep(60)
"""


def pids_of(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()]


def test_packages_build_and_its_children_end_at_the_deadline(tmp_path: Path, gone: Callable[..., bool]) -> None:
    pids = tmp_path / "pids"
    archive = sdist(tmp_path, "slow", {}, setup=SLEEPING.format(pids=str(pids)))
    with pytest.raises(PredictionError, match="timed out after 4 s"):
        install_here(tmp_path, archive, deadline=4.0)
    assert all(gone(pid) for pid in pids_of(pids))
    assert left(tmp_path) == []


def test_packages_build_and_its_children_end_at_an_interrupt(tmp_path: Path, gone: Callable[..., bool]) -> None:
    pids = tmp_path / "pids"

    def interrupt(_: str) -> None:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            threading.Event().wait(0.02)
        raise KeyboardInterrupt

    archive = sdist(tmp_path, "slow", {}, setup=SLEEPING.format(pids=str(pids)))
    with pytest.raises(KeyboardInterrupt):
        install_here(tmp_path, archive, on_line=interrupt)
    assert all(gone(pid) for pid in pids_of(pids))
    assert left(tmp_path) == []


def test_packages_ignore_what_a_killed_build_left(tmp_path: Path) -> None:
    archive = wheel(tmp_path, "own", {"own": "VALUE = 1"})
    made = install_here(tmp_path, archive)
    partial = made.with_name(f".{made.name}.partial")
    made.rename(partial)
    (partial / "own.py").write_text("half of")
    assert install_here(tmp_path, archive) == made
    assert imported(made, "own") == "1"
    assert left(tmp_path) == [made.name]


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        ("surely-not-there>=2", "requires surely-not-there>=2, which is not installed"),
        ("pytest<1", "requires pytest<1, but "),
        ("surely-not-there; python_version<'3'", ""),
        ("surely-not-there; extra=='more'", ""),
        ("PyTest>=5", ""),
    ],
)
def test_missing_requirements_of_packages(requires: str, told: str, tmp_path: Path) -> None:
    archive = wheel(tmp_path, "needy", {"needy": "VALUE = 1"}, requires=requires)
    if not told:
        assert imported(install_here(tmp_path, archive), "needy") == "1"
        return
    with pytest.raises(PredictionError) as caught:
        install_here(tmp_path, archive)
    assert caught.value.kind == "INVALID_USER_CODE"
    assert f"needy {told}" in caught.value.message
    assert caught.value.fix.startswith(f"{sys.executable} -m pip install ")


def test_missing_requirements_are_checked_again_after_a_change(tmp_path: Path) -> None:
    subprocess.run(
        subprocess_tools.uv_command("venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")), check=True
    )
    python = str(tmp_path / "venv" / "bin" / "python")
    needed = wheel(tmp_path, "needed", {"needed": ""})
    needy = wheel(tmp_path, "needy", {"needy": "VALUE = 1"}, requires="needed==0.1")

    def pip(*words: str) -> None:
        subprocess.run(
            subprocess_tools.uv_command("pip", words[0], "--quiet", "--offline", "--python", python, *words[1:]),
            check=True,
        )

    with pytest.raises(PredictionError, match=r"needed==0\.1, which is not installed"):
        install([needy], python, tmp_path)
    pip("install", str(needed))
    folder = install([needy], python, tmp_path)
    assert install([needy], python, tmp_path) == folder
    pip("install", str(wheel(tmp_path, "needed", {"needed": ""}, version="0.2")))
    with pytest.raises(PredictionError, match=r"needed==0\.1, but 0\.2 is installed"):
        install([needy], python, tmp_path)
    assert install([needed, needy], python, tmp_path) != folder  # one package meets the requirement of the other


def test_install_errors_find_the_reason_in_an_output(tmp_path: Path) -> None:
    network = ["error: Request failed", "  cause: Failed to fetch: https://index/x", "  cause: dns error"]
    error = build_error("x.tar.gz", (), network, tmp_path)
    assert "failed to install: dns error" in error.message
    assert error.fix.startswith("connect to the network to download the build requirements")
    assert "exited without output" in build_error("x.tar.gz", (), [], tmp_path).message
    there = ["FileNotFoundError: [Errno 2] No such file or directory: 'conf/a.txt'"]
    assert "include" not in build_error("x.tar.gz", ("x/conf/a.txt",), there, tmp_path).fix


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("error: Failed to install: No space left on device (os error 28)", ""),
        ("cause: failed to write to file `/cache/uv/x.whl`: No space left on device (os error 28)", "/cache/uv/x.whl"),
        ("error: could not write to 'build/lib/x.py': No space left on device", ""),
        (r"error: failed to open `C:\cache\x`: There is not enough space on the disk. (os error 112)", r"C:\cache\x"),
    ],
)
def test_install_errors_name_the_full_disk_of_an_output(line: str, where: str, tmp_path: Path) -> None:
    full = build_error("x.tar.gz", (), ["Using Python 3.11", line, "cause: x"], tmp_path)
    assert isinstance(full, LocalFileError)
    assert is_disk_full(full)
    assert full.message == "the disk is full"
    assert full.where == (where or str(tmp_path))
    assert full.fix == "free space on that disk and run the command again"

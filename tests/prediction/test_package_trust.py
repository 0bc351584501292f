"""Packages that would run code before a worker starts: without consent, nothing of them runs."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import SETUP, link, sdist, tar, wheel

from aip_magics.artifacts.packages import read
from aip_magics.errors import PredictionError, TrustError
from aip_magics.prediction.packages import install

pytestmark = pytest.mark.slow

PLAIN = "from setuptools import setup\nsetup(name='own', version='0.1', py_modules=['own'])\n"


def here(cache: Path, *files: Path, trusted: bool = False) -> Path:
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] if trusted else []
    return install(files, sys.executable, cache, trusted=digests)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_package_trust_runs_a_script_that_is_not_plain_with_consent_only(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    archive = sdist(tmp_path, "own", {"own": "VALUE = 1"}, setup=f"open({str(marker)!r}, 'w')\n{PLAIN}")
    with pytest.raises(
        TrustError, match=r"own-0\.1\.tar\.gz failed to install: building the package may run its code"
    ) as caught:
        here(tmp_path, archive)
    assert "setup.py, line 1: calls open" in caught.value.detail
    assert "--trust" in caught.value.fix
    assert not marker.exists()
    assert "own.py" in names(here(tmp_path, archive, trusted=True))
    assert marker.exists()
    again = sdist(tmp_path, "own", {"own": "VALUE = 2"}, setup=f"open({str(marker)!r}, 'w')\n{PLAIN}")
    with pytest.raises(TrustError):  # consent applies to one content
        here(tmp_path, again)


def test_package_trust_imports_nothing_of_the_package_in_a_plain_build(tmp_path: Path) -> None:
    """setuptools' fallback backend imports from the directory that it builds, and loads entry points from there."""
    marker = tmp_path / "ran"
    acts = f"open({str(marker)!r}, 'a').write(__name__ + chr(10))\n"
    shadows = ["wheel", "email", "zipfile", "tarfile", "csv", "packaging", "pkg_resources", "shutil", "own_hooks"]
    files = {"setup.py": PLAIN, "own.py": "VALUE = 1", **{f"{name}.py": acts for name in shadows}}
    points = "[setuptools.finalize_distribution_options]\nx = own_hooks:x\n[distutils.commands]\nx = own_hooks:x\n"
    for folder in ("own.egg-info", "own-0.1.dist-info"):
        files[f"{folder}/entry_points.txt"] = points
        files[f"{folder}/METADATA"] = files[f"{folder}/PKG-INFO"] = "Metadata-Version: 2.1\nName: own\nVersion: 0.1\n"
    files["own.egg-info/SOURCES.txt"] = "own/../../../../etc/passwd\n"
    for number, project in enumerate(["", "[tool.black]\nx = 1\n", '[build-system]\nrequires = ["setuptools"]\n']):
        more = {"pyproject.toml": project} if project else {}
        members = {f"own-0.1/{name}": text for name, text in {**files, **more}.items()}
        folder = here(tmp_path / str(number), tar(tmp_path / f"own-0.1.{number}.tar.gz", members))
        assert "own.py" in names(folder)
    assert not marker.exists()


def test_package_trust_refuses_names_that_python_has_itself(tmp_path: Path) -> None:
    for name in ("pickle", "sitecustomize", "random"):
        with pytest.raises(PredictionError, match=f"module '{name}' would shadow a module of Python") as caught:
            here(tmp_path, wheel(tmp_path, "own", {name: "", "fine": ""}))
        assert "rename the module" in caught.value.fix
        fixed = wheel(tmp_path, "own", {f"own_{name}": "", "fine": ""})
        assert f"own_{name}.py" in names(here(tmp_path, fixed))
    scripts = "from setuptools import setup\nsetup(name='own', version='0.1', scripts=['os.py'])\n"
    with pytest.raises(PredictionError, match="'os'"):
        here(tmp_path, sdist(tmp_path, "own", {"os": "VALUE = 1"}, setup=scripts))
    own = {"sklearn/__init__": "", "deep/pickle": "", "deep/__init__": ""}  # allowed by the service
    assert "sklearn/__init__.py" in names(here(tmp_path, wheel(tmp_path, "more", own)))


def test_package_trust_ignores_files_for_the_start_of_python(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    line = f"import os; open({str(marker)!r}, 'w')\n"
    path = wheel(tmp_path, "own", {"own": "VALUE = 1"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("own.pth", line)
        file.writestr("own-0.1.data/purelib/deep.pth", line)
        file.writestr("own-0.1.data/data/etc/x", "x")
        file.writestr("own-0.1.data/scripts/run.sh", "#!python\n")
    assert read(path).startup == ("deep.pth", "own.pth")
    folder = here(tmp_path, path, wheel(tmp_path, "two", {"two": ""}))
    assert {"own.py", "own.pth", "deep.pth", "etc/x", "two.py"} <= names(folder)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import own"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b"])
def test_package_trust_keeps_scripts_of_entry_points_inside(name: str, tmp_path: Path) -> None:
    path = wheel(tmp_path, "own", {"own": ""})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("own-0.1.dist-info/entry_points.txt", f"[console_scripts]\n{name} = own:f\n")
    with pytest.raises(PredictionError, match="failed to install"):
        here(tmp_path / "cache", path)
    assert not [one for one in tmp_path.rglob("*escaped*")]


# Archives that different readers interpret differently, or that are too large for any.


def twice(folder: Path) -> Path:
    return tar_of(folder, [("own-0.1/setup.py", PLAIN), ("own-0.1/own.py", ""), ("own-0.1/setup.py", "raise")])


def tar_of(folder: Path, members: list[tuple[str, str]], **header: object) -> Path:
    path = folder / "own-0.1.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            vars_of(info, header)
            file.addfile(info, io.BytesIO(text.encode()))
    return path


def vars_of(info: tarfile.TarInfo, header: dict[str, object]) -> None:
    for key, value in header.items():
        setattr(info, key, value)


def appended(data: bytes) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = sdist(folder, "own", {"own": ""})
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + data))
        return path

    return made


def second_archive(folder: Path) -> Path:
    return appended(gzip.decompress(sdist(folder, "two", {"two": ""}).read_bytes()))(folder)


def second_member(folder: Path) -> Path:
    path = sdist(folder, "own", {"own": ""})
    path.write_bytes(path.read_bytes() + sdist(folder, "two", {"two": ""}).read_bytes())
    return path


def trailing(folder: Path) -> Path:
    path = sdist(folder, "own", {"own": ""})
    path.write_bytes(path.read_bytes() + b"PK\x03\x04 something else")
    return path


def of_info(kind: bytes, **more: object) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        info = link("", kind)
        vars_of(info, more)
        return tar(folder / "own-0.1.tar.gz", {"own-0.1/setup.py": PLAIN, "own-0.1/x": info})

    return made


def of_links(*targets: tuple[str, str]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        links = {f"own-0.1/{name}": link(target) for name, target in targets}
        return tar(folder / "own-0.1.tar.gz", {"own-0.1/setup.py": PLAIN, **links})

    return made


def headers(count: int, kind: bytes, body: bytes) -> Callable[[Path], Path]:
    """A tar that begins with many extension headers."""

    def made(folder: Path) -> Path:
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, len(body)
        block = info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512)
        path = folder / "own-0.1.tar.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            for _ in range(count):
                file.write(block)
            file.write(gzip.decompress(sdist(folder, "two", {"two": ""}).read_bytes()))
        return path

    return made


def endless_sparse(folder: Path) -> Path:
    """A sparse map that claims more entries than the file has bytes."""
    path = folder / "own-0.1.tar.gz"
    info = tarfile.TarInfo("own-0.1/setup.py")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}
    info.size = 512
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        file.write(b"99999999\n1\n")
    return path


def negative(folder: Path) -> Path:
    info = tarfile.TarInfo("own-0.1/setup.py")
    info.pax_headers = {"size": "-1024"}
    path = folder / "own-0.1.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)))
    return path


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], suffix: str = ".zip") -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / f"own-0.1{suffix}"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("own-0.1/setup.py", PLAIN)
            for name, data in members:
                file.writestr(name, data)
        return path

    return made


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def many_entries(folder: Path) -> Path:
    """A zip directory with a million entries for the same member."""
    central = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    count = 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(central) * count, 0, 0)
    path = folder / "own-0.1.zip"
    path.write_bytes(central * count + end)
    return path


def overlapping(folder: Path) -> Path:
    """One deflated member with many directory entries."""
    zeros = bytes(1 << 20)
    data, crc = zlib.compress(zeros, 9)[2:-4], zlib.crc32(zeros)
    local = struct.pack("<4s2B4HL2L2H", b"PK\3\4", 20, 0, 0, 8, 0, 0, crc, len(data), 1 << 20, 1, 0)
    central = b"".join(
        struct.pack(
            "<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 8, 0, 0, crc, len(data), 1 << 20, 4, 0, 0,
            0, 0, 0, 0,
        ) + b"%04d" % number for number in range(3000)
    )  # fmt: skip
    body = local + b"x" + data
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3000, 3000, len(central), len(body), 0)
    path = folder / "own-0.1.zip"
    path.write_bytes(body + central + end)
    return path


def zeros(folder: Path) -> Path:
    path = folder / "own-0.1.tar.gz"
    info = tarfile.TarInfo("own-0.1/zeros")
    info.size = 3 << 30
    block = gzip.compress(bytes(64 << 20), 9)
    path.write_bytes(gzip.compress(info.tobuf()) + block * 48)
    return path


LONG = b"1048570 comment=" + b"x" * 1048553 + b"\n"
HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a name twice": (twice, "has more than one member"),
    "a name twice, in other forms": (
        lambda folder: tar_of(folder, [("own-0.1/setup.py", PLAIN), ("own-0.1/é", ""), ("own-0.1/e\u0301", "")]),
        "has more than one member",
    ),
    "a file below a file": (
        lambda folder: tar_of(folder, [("own-0.1/setup.py", PLAIN), ("own-0.1/setup.py/x", "")]),
        "has more than one member",
    ),
    "a second archive": (second_archive, "archive has data after its end"),
    "a second member of gzip": (second_member, "archive has data after its end"),
    "a damaged header": (appended(b"x" * 512), "archive has data after its end"),
    "something after the end": (trailing, "corrupted"),
    "a device": (of_info(tarfile.BLKTYPE), "a device, a pipe"),
    "a pipe": (of_info(tarfile.FIFOTYPE), "a device, a pipe"),
    "another kind": (of_info(b"Z"), "a device, a pipe"),
    "a sparse file": (of_info(tarfile.GNUTYPE_SPARSE), "a device, a pipe"),
    "a link to a folder": (of_links(("loop", ".")), "does not point to a file"),
    "links in a circle": (of_links(("a", "b"), ("b", "a")), "does not point to a file"),
    "a link to nothing": (of_links(("a", "gone")), "does not point to a file"),
    "a link out": (of_links(("a", "../../x")), "outside the archive"),
    "a long name": (
        lambda folder: tar_of(folder, [("own-0.1/setup.py", PLAIN), ("own-0.1/" + "x" * 5000, "")]),
        "invalid size or name",
    ),
    "deep folders": (
        lambda folder: tar_of(folder, [("own-0.1/setup.py", PLAIN), ("own-0.1/" + "x/" * 400 + "y", "")]),
        "invalid size or name",
    ),
    "headers of headers": (headers(900, tarfile.XGLTYPE, b"20 comment=" + b"x" * 8 + b"\n"), ""),
    "headers without end": (headers(200, tarfile.XGLTYPE, LONG), "a header of more"),
    "holes without end": (endless_sparse, ""),
    "a negative size": (negative, ""),
    "zeros": (zeros, "unpacks to more than"),
    "a link in a zip": (zipped((entry("own-0.1/l", stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link in a zip"),
    "a device in a zip": (zipped((entry("own-0.1/d", stat.S_IFCHR | 0o777), b"")), "a link in a zip"),
    "a way out of a zip": (zipped(("../evil.py", b"")), "outside the archive"),
    "an absolute name in a zip": (zipped(("/tmp/evil.py", b"")), "outside the archive"),
    "backslashes": (zipped(("own-0.1\\..\\..\\evil.py", b"")), "outside the archive"),
    "a name twice in a zip": (zipped(("own-0.1/./setup.py", b"raise")), "has more than one member"),
    "zeros in a zip": (zipped(("own-0.1/zeros", bytes(64 << 20))), "times its size"),
    "a directory of a million": (many_entries, "a directory of more than 8 MiB"),
    "members on top of each other": (overlapping, "unpacks to more than"),
    "a way out of a wheel": (zipped(("own-0.1.data/data/../../evil.py", b""), suffix="-py3-none-any.whl"), "outside"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_package_trust_refuses_archives(name: str, tmp_path: Path) -> None:
    make, reason = HOSTILE[name]
    (tmp_path / "given").mkdir()
    path = make(tmp_path / "given")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    assert read(path).problem
    with pytest.raises(PredictionError) as caught:
        here(tmp_path / "cache", path, trusted=True)  # consent does not make it safe to unpack
    assert reason in caught.value.message
    assert caught.value.fix
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert not list(tmp_path.rglob("evil*"))


def test_package_trust_accepts_odd_archives(tmp_path: Path) -> None:
    """`tar czf x.tgz ./own`, with directories, a link to a file, and an executable with a setuid bit."""
    info = tarfile.TarInfo()
    info.mode = 0o4755
    folder = tarfile.TarInfo()
    folder.type = tarfile.DIRTYPE
    more = "package_data={'': ['*']}, packages=['p']"
    members = {
        ".": folder,
        "./own-0.1": tarfile.TarInfo(),
        "./own-0.1/setup.py": SETUP.format(name="own", modules=["own"], more=more),
        "./own-0.1/own.py": "VALUE = 1",
        "./own-0.1/p/__init__.py": "",
        "./own-0.1/p/run": info,
        "./own-0.1/p/again.py": link("../own.py"),
    }
    members["./own-0.1"].type = tarfile.DIRTYPE  # type: ignore[union-attr]
    made = here(tmp_path, tar(tmp_path / "own-0.1.tgz", members))
    assert {"own.py", "p/__init__.py", "p/run", "p/again.py"} <= names(made)
    assert (made / "p" / "again.py").read_text() == "VALUE = 1"
    assert not any(path.stat().st_mode & 0o7000 for path in made.rglob("*") if path.is_file())


@pytest.mark.parametrize("elsewhere", ["file:///tmp/x-1.tar.gz", "https://127.0.0.1:1/x-1.tar.gz"])
def test_package_trust_refuses_requirements_from_elsewhere(elsewhere: str, tmp_path: Path) -> None:
    """With requirements, a package may name an archive whose setup.py would run."""
    path = wheel(tmp_path, "own", {"own": "VALUE = 1"}, requires=f"x @ {elsewhere}")
    with pytest.raises(TrustError, match=r"requirement x ?@ .* comes from a URL"):
        install([path], sys.executable, tmp_path, with_requirements=True)
    with pytest.raises(PredictionError, match="which is not installed"):  # without requirements, nothing is downloaded
        here(tmp_path, path)


@pytest.mark.parametrize("text", ["--index-url http://127.0.0.1:1", "-r /etc/passwd", "./x", "x; y"])
def test_package_trust_passes_no_false_requirement_to_a_tool(text: str, tmp_path: Path) -> None:
    path = wheel(tmp_path, "own", {"own": ""}, requires=text)
    with pytest.raises(PredictionError, match=r"invalid requirement|failed to install") as caught:
        install([path], sys.executable, tmp_path, with_requirements=True)
    assert caught.value.fix


def test_package_trust_builds_no_requirement_without_consent(tmp_path: Path) -> None:
    marker, index = tmp_path / "ran", tmp_path / "index"
    index.mkdir()
    setup = SETUP.format(name="needed", modules=["needed"], more="")
    sdist(index, "needed", {"needed": ""}, setup=f"open({str(marker)!r}, 'w')\n{setup}")
    path = wheel(tmp_path, "own", {"own": "VALUE = 1"}, requires="needed")
    environ = {**os.environ, "UV_FIND_LINKS": str(index), "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    with pytest.raises(PredictionError, match="failed to install") as caught:
        install([path], sys.executable, tmp_path / "cache", with_requirements=True, environ=environ)
    assert not marker.exists()
    assert "--trust" in caught.value.fix, caught.value.log

"""Select the files of a package."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from aip_magics.artifacts.packages import module_discovery, setup_script
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _

MAX_FILES = 5_000
MAX_BYTES = 100 * 1000**2  # more than this is a data set or a virtual environment, not code
_CACHES = frozenset({"__pycache__", "node_modules"})
_BUILD_DIRS = frozenset({"build", "dist"})  # output of package builds; with an __init__.py they are code
_COMPILED = (".pyc", ".pyo")
_SCRIPT_KEYWORDS = frozenset({"name", "version", "scripts", "install_requires"})  # of a setup.py of scripts
_DESCRIPTIONS = frozenset(
    {"description", "long_description", "author", "author_email", "url", "license", "keywords", "classifiers"}
)


@dataclasses.dataclass(frozen=True)
class Sources:
    """The files of a package.

    Attributes:
        name: The name of the module or directory.
        files: Name in the archive → path, sorted.
        modules: The top-level modules.
        packages: The dotted names of all packages.
        data: Package → relative names of the files in it that are not modules.
        version: The version in the directory's setup.py; empty without one.
        requires: The requirements in that setup.py.
    """

    name: str
    files: dict[str, Path]
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    data: dict[str, tuple[str, ...]]
    version: str = ""
    requires: tuple[str, ...] = ()

    @property
    def python_files(self) -> dict[str, Path]:
        """The modules among the files."""
        return {name: path for name, path in self.files.items() if name.endswith(".py")}

    @property
    def top_names(self) -> tuple[str, ...]:
        """The importable names: modules and top-level packages."""
        return tuple(sorted({*self.modules, *(package for package in self.packages if "." not in package)}))


def collect(path: Path) -> Sources:
    """Collect the files of a module, a package directory (with an `__init__.py`), or a directory with both.

    Hidden files, caches and links to directories are skipped. Of a directory whose setup.py lists its modules as
    scripts, these are collected. InputError if there is nothing to package.
    """
    path = path.absolute()
    if path.is_file():
        return _collect_module(path)
    if not path.is_dir():
        raise InputError(
            _("no such module or directory"),
            where=str(path),
            fix=_("use a module (my_code.py) or a directory with modules"),
        )
    if scripts := _collect_scripts(path):
        return scripts
    for name in ("setup.py", "pyproject.toml"):
        if (path / name).exists():
            text = _("the directory already has a {name}", name=name)
            build = [sys.executable, "-m", "uv", "build", "--sdist", "--out-dir", "dist", str(path)]
            fix = _(
                "run `{line}`, or copy the modules without {name} into another directory and package that one",
                line=shlex.join(build),
                name=name,
            )
            raise InputError(text, where=str(path), fix=fix)
    is_package = (path / "__init__.py").exists()
    return _collect_directory(path, path.name if is_package else "")


def _collect_module(path: Path) -> Sources:
    if path.suffix != ".py":
        fix = _("use a module (my_code.py) or a directory with modules")
        raise InputError(_("not a Python module"), where=str(path), fix=fix)
    _check_importable(path.stem, path)
    return Sources(path.stem, {path.name: path}, (path.stem,), (), {})


def _collect_scripts(path: Path) -> Sources | None:
    """Collect the modules that a setup.py lists as scripts, as in Google's samples; None if it does anything else."""
    setup = path / "setup.py"
    if not setup.is_file() or (path / "pyproject.toml").exists() or (path / "setup.cfg").exists():
        return None
    script = setup_script.read(setup.read_bytes())
    names = module_discovery.script_modules(script)
    modules = tuple(sorted(PurePosixPath(name).stem for name in names))
    given = {*script.keywords, *script.computed}
    if not names or given - _SCRIPT_KEYWORDS - _DESCRIPTIONS or script.computed - _DESCRIPTIONS:
        return None
    requires = script.keywords.get("install_requires", [])
    if not isinstance(requires, list) or len(set(modules)) < len(script.keywords["scripts"]):
        return None
    if not all((path / name).is_file() and ".." not in PurePosixPath(name).parts for name in names):
        return None
    for module in modules:
        _check_importable(module, path)
    return Sources(
        name=str(script.keywords.get("name", path.name)),
        files=dict(sorted((PurePosixPath(name).name, path / name) for name in names)),
        modules=modules,
        packages=(),
        data={},
        version=str(script.keywords.get("version", "")),
        requires=tuple(map(str, requires)),
    )


def _collect_directory(path: Path, package: str) -> Sources:
    files = dict(sorted((f"{package}/{name}" if package else name, file) for name, file in _walk(path)))
    directories = {str(PurePosixPath(name).parent) for name in files if PurePosixPath(name).name == "__init__.py"}
    packages = {one for one in directories if one != "." and _is_package(one, directories)}
    modules = tuple(sorted(name.removesuffix(".py") for name in files if "/" not in name and name.endswith(".py")))
    if not modules and not packages:
        text = _("no module or package found in this directory")
        raise InputError(
            text, where=str(path), fix=_("add a module, or an __init__.py that makes a directory a package")
        )
    for name in (*modules, *(part for directory in packages for part in directory.split("/"))):
        _check_importable(name, path)
    data: dict[str, list[str]] = {}
    for name in files:
        owner = _owner(name, packages)
        if owner and not (name.endswith(".py") and str(PurePosixPath(name).parent) == owner):
            data.setdefault(owner.replace("/", "."), []).append(name[len(owner) + 1 :])
    # setuptools does not install files outside of packages.
    kept = {name: file for name, file in files.items() if _owner(name, packages) or name.removesuffix(".py") in modules}
    return Sources(
        name=path.name,
        files=kept,
        modules=modules,
        packages=tuple(sorted(directory.replace("/", ".") for directory in packages)),
        data={owner: tuple(names) for owner, names in sorted(data.items())},
    )


def _walk(directory: Path) -> Iterator[tuple[str, Path]]:
    count = size = 0
    for root, subdirectories, names in os.walk(directory):
        subdirectories[:] = sorted(name for name in subdirectories if not _skipped(Path(root, name)))
        for name in sorted(names):
            file = Path(root, name)
            if _skipped(file):
                continue
            count, size = count + 1, size + file.stat().st_size
            if count > MAX_FILES or size > MAX_BYTES:
                text = _(
                    "the directory contains more than {files} files or {size} MB",
                    files=MAX_FILES,
                    size=MAX_BYTES // 1000**2,
                )
                raise InputError(text, where=str(directory), fix=_("use a directory that contains only the code"))
            yield file.relative_to(directory).as_posix(), file


def _skipped(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith((".egg-info", ".dist-info")):
        return True
    if path.is_symlink() and not path.is_file():
        return True
    if path.is_dir():
        built = path.name in _BUILD_DIRS and not (path / "__init__.py").exists()
        return path.name in _CACHES or built or (path / "pyvenv.cfg").exists()
    return path.name.endswith(_COMPILED) or not path.is_file() or not path.name.isprintable()


def _is_package(directory: str, candidates: set[str]) -> bool:
    """Whether all parents are packages too; otherwise the dotted name cannot be imported."""
    return all(str(parent) in candidates for parent in PurePosixPath(directory).parents if str(parent) != ".")


def _owner(name: str, packages: set[str]) -> str:
    """The innermost package of a file; empty for a file outside of packages."""
    return next((str(parent) for parent in PurePosixPath(name).parents if str(parent) in packages), "")


def _check_importable(name: str, where: Path) -> None:
    if not name.isidentifier():
        text = _("{name!r} cannot be imported: not a valid Python name", name=name)
        raise InputError(
            text, where=str(where), fix=_("rename the module or directory to {renamed}", renamed=_to_identifier(name))
        )


def _to_identifier(name: str) -> str:
    identifier = "".join(letter if letter.isalnum() else "_" for letter in name)
    return identifier if identifier.isidentifier() else f"m_{identifier}"

"""Which files go into a package."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _

MAX_FILES = 5_000
MAX_BYTES = 100 * 1000**2  # code is small: more is a data set or a virtual environment that got in
_CACHES = frozenset({"__pycache__", "node_modules"})
_BUILT = frozenset({"build", "dist"})  # what building packages leaves there; with an __init__.py they are code
_COMPILED = (".pyc", ".pyo")


@dataclasses.dataclass(frozen=True)
class Sources:
    """The files of a package. `files` maps names in the archive to paths, sorted.

    `modules` are the top-level modules, `packages` all packages, dotted; `data` maps a package to the names of the
    files in it, relative to it, that are no modules.
    """

    name: str
    files: dict[str, Path]
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    data: dict[str, tuple[str, ...]]

    @property
    def python_files(self) -> dict[str, Path]:
        return {name: path for name, path in self.files.items() if name.endswith(".py")}

    @property
    def top_names(self) -> tuple[str, ...]:
        """What can be imported: modules and top-level packages."""
        return tuple(sorted({*self.modules, *(package for package in self.packages if "." not in package)}))


def collect(path: Path) -> Sources:
    """The files of a module, of a package directory (it has an `__init__.py`), or of a directory of both.

    Hidden files, caches and links that lead out are left out. InputError where there is nothing to package.
    """
    path = path.absolute()
    if path.is_file():
        return _of_module(path)
    if not path.is_dir():
        raise InputError(
            _("there is no such module or directory"),
            where=str(path),
            fix=_("name a module (my_code.py) or a directory with modules"),
        )
    for name in ("setup.py", "pyproject.toml"):
        if (path / name).exists():
            text = _("the directory has a {name} of its own", name=name)
            fix = _("build it with that: `python -m build --sdist`, or name the directory with the modules")
            raise InputError(text, where=str(path), fix=fix)
    is_package = (path / "__init__.py").exists()
    return _of_directory(path, path.name if is_package else "")


def _of_module(path: Path) -> Sources:
    if path.suffix != ".py":
        fix = _("name a module (my_code.py) or a directory with modules")
        raise InputError(_("this is no Python module"), where=str(path), fix=fix)
    _importable(path.stem, path)
    return Sources(path.stem, {path.name: path}, (path.stem,), (), {})


def _of_directory(path: Path, package: str) -> Sources:
    found = {f"{package}/{name}" if package else name: file for name, file in _walk(path)}
    files = dict(sorted(found.items()))
    folders = {str(PurePosixPath(name).parent) for name in files if PurePosixPath(name).name == "__init__.py"}
    packages = {folder for folder in folders if folder != "." and _whole(folder, folders)}
    modules = tuple(sorted(name.removesuffix(".py") for name in files if "/" not in name and name.endswith(".py")))
    if not modules and not packages:
        text = _("there is no module and no package in this directory")
        raise InputError(text, where=str(path), fix=_("a package is a folder with an __init__.py"))
    for name in (*modules, *(part for folder in packages for part in folder.split("/"))):
        _importable(name, path)
    data: dict[str, list[str]] = {}
    for name in files:
        owner = _owner(name, packages)
        if owner and not (name.endswith(".py") and str(PurePosixPath(name).parent) == owner):
            data.setdefault(owner.replace("/", "."), []).append(name[len(owner) + 1 :])
    # What lies in no package would not be installed.
    kept = {name: file for name, file in files.items() if _owner(name, packages) or name.removesuffix(".py") in modules}
    return Sources(
        name=path.name,
        files=kept,
        modules=modules,
        packages=tuple(sorted(folder.replace("/", ".") for folder in packages)),
        data={owner: tuple(names) for owner, names in sorted(data.items())},
    )


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    count = size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _skipped(Path(root, name)))
        for name in sorted(names):
            file = Path(root, name)
            if _skipped(file):
                continue
            count, size = count + 1, size + file.stat().st_size
            if count > MAX_FILES or size > MAX_BYTES:
                text = _(
                    "there are more than {files} files or {size} MB in it",
                    files=MAX_FILES,
                    size=MAX_BYTES // 1000**2,
                )
                raise InputError(text, where=str(folder), fix=_("name the folder that has the code alone"))
            yield file.relative_to(folder).as_posix(), file


def _skipped(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith((".egg-info", ".dist-info")):
        return True
    if path.is_symlink() and not path.is_file():
        return True
    if path.is_dir():
        built = path.name in _BUILT and not (path / "__init__.py").exists()
        return path.name in _CACHES or built or (path / "pyvenv.cfg").exists()
    return path.name.endswith(_COMPILED) or not path.is_file() or not path.name.isprintable()


def _whole(folder: str, folders: set[str]) -> bool:
    """Whether all folders above are packages, too: else it cannot be imported by its dotted name."""
    return all(str(parent) in folders for parent in PurePosixPath(folder).parents if str(parent) != ".")


def _owner(name: str, packages: set[str]) -> str:
    """The innermost package that a file lies in; empty for none."""
    return next((str(parent) for parent in PurePosixPath(name).parents if str(parent) in packages), "")


def _importable(name: str, where: Path) -> None:
    if not name.isidentifier():
        text = _("{name!r} cannot be imported: it is not a Python name", name=name)
        raise InputError(text, where=str(where), fix=_("rename it to {renamed}", renamed=_renamed(name)))


def _renamed(name: str) -> str:
    fitting = "".join(letter if letter.isalnum() else "_" for letter in name)
    return fitting if fitting.isidentifier() else f"m_{fitting}"

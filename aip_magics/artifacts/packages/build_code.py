"""What building a source distribution would run: nothing but what setuptools and the like do with plain metadata, or …

A build runs with the user's rights, before anything is confined. So a package is built without a question only where
all that steers the build, setup.py, setup.cfg, pyproject.toml and MANIFEST.in, was understood and brings no code.
"""

from __future__ import annotations

import configparser
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from aip_magics import toml_reader
from aip_magics.artifacts.packages import plain_project, plain_script, plain_values
from aip_magics.artifacts.packages.archives import Archive
from aip_magics.artifacts.packages.source_tree import SourceTree, normalize_line_ends
from aip_magics.i18n import gettext as _
from aip_magics.wording import join_names

STEERING = ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in")
_OTHERS = frozenset({"hatch.toml", "pdm_build.py", "hatch_build.py", "flit.ini", "pbr.json"})
# Version control runs what its own folder says, and plugins of setuptools call it.
_SHOWN = 3
_HISTORIES = frozenset({".git", ".hg", ".svn", ".bzr", "_darcs", ".jj", ".sl"})
_METADATA = (".egg-info", ".dist-info")
_FINDS = re.compile(r"find(?:_namespace)?:")
_BACKEND = "setuptools.build_meta"
_SYSTEM = f'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "{_BACKEND}"\n'
_HEAD = re.compile(r"^\[build-system\][ \t]*(?:#.*)?$", re.MULTILINE)
_SECTIONS = re.compile(
    r"tool:[\w.:-]+|flake8|pycodestyle|pep8|pydocstyle|isort|mypy(?:-.+)?|pylint.*|yapf|black|coverage:\w+|nosetests"
    r"|pytest|tox:.*|bumpversion.*|versioneer|zest\.releaser|check-manifest|codespell|doc8"
)
_KEYS = {  # section of setup.cfg: the keys that say nothing but words
    "egg_info": {"tag_build", "tag_date", "tag_svn_revision"},
    "bdist_wheel": {"universal"},
    "wheel": {"universal"},
    "sdist": {"formats"},
}


def reasons(archive: Archive) -> tuple[str, ...]:
    """Why building this source distribution needs consent; nothing where that runs nothing of it.

    The `texts` of the archive have to be those of all its modules, and of what is `STEERING`.
    """
    return tuple(dict.fromkeys(_reasons(SourceTree(archive))))


def would_run(reasons: Sequence[str]) -> str:
    """What building a package would run, in words."""
    shown = join_names(reasons, _SHOWN, separator="; ")
    return _("building the package may run its code: {reasons}", reasons=shown)


def consent_fix() -> str:
    """How to come to a package that is built without a question, or with consent."""
    return _(
        "build the package with %aip_package, or use a wheel; or, if you trust the source of this file, "
        "add --trust (remembered for this file content)"
    )


def left_out(name: str) -> bool:
    """Whether a member is left out where nobody consented: what earlier builds wrote down, and builds may load."""
    return any(part.casefold().endswith(_METADATA) for part in PurePosixPath(name).parts)


def isolated(pyproject: str) -> str:
    """The text of a plain pyproject.toml, so that whoever builds does not import from the folder that is built.

    The backend that is taken where none is named lets files of the package stand for modules of Python.
    """
    pyproject = normalize_line_ends(pyproject)
    system = toml_reader.loads(pyproject).get("build-system")
    if system is None:
        return f"{pyproject}\n{_SYSTEM}"
    if system.get("build-backend"):
        return pyproject
    return _HEAD.sub(f'[build-system]\nbuild-backend = "{_BACKEND}"', pyproject, count=1)


def _reasons(tree: SourceTree) -> Iterator[str]:
    for name in sorted(tree.members):
        path = PurePosixPath(name)
        if _HISTORIES & set(path.parts):
            yield _(
                "archive contains the version control directory {name}", name=next(iter(_HISTORIES & set(path.parts)))
            )
        if len(path.parts) == 1 and (name.casefold() in _OTHERS or _is_another(name)):
            yield _("{name} may change how the package is built", name=name)
    for file in STEERING:
        if file in tree.members and file not in tree.texts:
            yield _("{file} is too large to inspect", file=file)
        elif file in tree.members and not _is_text(tree.texts[file]):
            yield _("could not read {file}", file=file)
    project = plain_project.read(tree.text("pyproject.toml"))
    if project is None:
        yield _("could not read {file}", file="pyproject.toml")
        return
    yield from plain_project.reasons(project, tree)
    if plain_project.is_setuptools(project):
        try:
            remade = toml_reader.loads(isolated(tree.text("pyproject.toml")))["build-system"]
            fine = remade.get("build-backend") == _BACKEND
        except (ValueError, KeyError, AttributeError, RecursionError):
            fine = False
        if not fine:
            yield _("could not read {file}", file="pyproject.toml")
        if "setup.py" in tree.texts:
            yield from plain_script.reasons(tree.texts["setup.py"])
        yield from _of_config(tree)
        for word in tree.text("MANIFEST.in").split():
            yield from plain_values.outside("MANIFEST.in", word)


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8, declares nothing else, and ends its lines in a way that all readers know."""
    try:
        data.decode("utf-8")
        encoding, _unused = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (UnicodeDecodeError, SyntaxError):
        return False
    rest = data.replace(b"\r\n", b"\n")
    return encoding == "utf-8" and not any(sign in rest for sign in (b"\0", b"\r", b"\f"))


def _is_another(name: str) -> bool:
    """Whether some file system takes this for one of the files that steer a build."""
    return name not in STEERING and name.casefold() in {one.casefold() for one in STEERING}


def _of_config(tree: SourceTree) -> Iterator[str]:
    """Why a setup.cfg is not plain."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as setuptools has it
    try:
        parser.read_string(tree.text("setup.cfg"))
    except (configparser.Error, ValueError):
        yield _("could not read {file}", file="setup.cfg")
        return
    if parser.defaults():
        yield _("{file} has the section {name}", file="setup.cfg", name="[DEFAULT]")
    folders = _folders(parser)
    for section in parser.sections():
        given = {key.replace("-", "_").lower(): value for key, value in parser.items(section)}
        if section in ("metadata", "options"):
            for key, value in given.items():
                yield from _option(section, key, value, tree, folders)
        elif section == "options.entry_points":
            yield from plain_values.entry_points(given)
        elif section.startswith("options.") and section != "options.extras_require":
            yield from plain_values.outside(f"setup.cfg [{section}]", dict(parser.items(section)))
        elif section in _KEYS:
            yield from _command(section, given)
        elif section != "options.extras_require" and not _SECTIONS.fullmatch(section):
            yield _("{file} has the section {name}", file="setup.cfg", name=f"[{section}]")


def _folders(parser: configparser.RawConfigParser) -> dict[str, str]:
    """package_dir, as far as it is there."""
    lines = parser.get("options", "package_dir", fallback="").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {key.strip(): value.strip().strip("/") for key, _unused, value in pairs}


def _command(section: str, given: Mapping[str, str]) -> Iterator[str]:
    for key, value in given.items():
        if key not in _KEYS[section] or not re.fullmatch(r"[\w.+, -]*", value):
            yield _("{file} sets {key} in {name}", file="setup.cfg", key=key, name=f"[{section}]")


def _option(section: str, key: str, value: str, tree: SourceTree, folders: Mapping[str, str]) -> Iterator[str]:
    value = value.strip()
    if value.startswith("attr:"):
        if key != "version" or not tree.says_literally(value.removeprefix("attr:").strip(), folders):
            yield _("{key} imports {name}", key=f"setup.cfg {key}", name=value.removeprefix("attr:").strip())
    elif value.startswith("file:"):
        if key == "entry_points":
            yield _("entry points are computed")
        for path in value.removeprefix("file:").split(","):
            yield from plain_values.outside(f"setup.cfg {key}", path.strip())
    elif section == "options" and key == "entry_points":
        yield from plain_values.entry_points(value)
    elif key in plain_values.PATHS:
        if not _FINDS.fullmatch(value):
            yield from plain_values.outside(f"setup.cfg {key}", value)
    elif section == "options" and key not in plain_values.TEXTS:
        yield _("{file} sets {key} in {name}", file="setup.cfg", key=key, name=f"[{section}]")

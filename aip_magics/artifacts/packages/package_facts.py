"""What a source distribution or a wheel says about itself: its metadata, its modules, the class of a routine."""

from __future__ import annotations

import configparser
import dataclasses
import email.parser
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from aip_magics import toml_reader
from aip_magics.artifacts.facts import ClassFacts
from aip_magics.artifacts.packages import build_code, class_lookup, setup_script
from aip_magics.artifacts.packages.archives import Archive
from aip_magics.artifacts.packages.archives import read as read_archive
from aip_magics.artifacts.packages.bounds import MemberRefused
from aip_magics.artifacts.packages.class_lookup import Module
from aip_magics.artifacts.packages.setup_script import FileRead, SetupScript
from aip_magics.i18n import gettext as _

MAX_BYTES = 256 << 20  # decompressed of a .tar.gz, in about a second; packages with code are below 1 MiB
_KEPT = ("PKG-INFO", "METADATA", "setup.cfg", "pyproject.toml", "requires.txt", "MANIFEST.in")
_COMPILED = re.compile(r"\.(?:cpython-|cp\d|abi3|pyd$|so$)")
_WHEEL = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<tags>[^-]+-[^-]+-[^-]+)\.whl")
_SDIST = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*?)\.(?:tar\.gz|tgz|zip)")


@dataclasses.dataclass(frozen=True)
class PackageFacts:
    """What a package archive says about itself.

    `name` and `version` are of its metadata, else of its file name. `modules` are its modules, dotted, sorted, as far
    as they are Python files (`compiled` the others). `requires` are the requirements it is installed with, as written;
    `python_requires` the versions of Python it takes; `tags` those of a wheel (`cp37-cp37m-manylinux1_x86_64`).
    `lacking` are files that building it reads and that it does not have, `runs` says what building it may run besides
    the tools that build it, `startup` are the files of a wheel that Python would read when it starts. `problem` says
    why the archive is refused, or is empty, and `fix` how to mend that.
    """

    file: str
    name: str | None = None
    version: str | None = None
    modules: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    python_requires: str | None = None
    tags: str | None = None
    lacking: tuple[FileRead, ...] = ()
    runs: tuple[str, ...] = ()
    startup: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""
    complete: bool = True
    unread: str = ""
    _sources: Mapping[str, Module] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    _setup: SetupScript | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def is_wheel(self) -> bool:
        return self.file.endswith(".whl")

    @property
    def python_files(self) -> tuple[str, ...]:
        """The names of the files of its modules, in the archive."""
        return tuple(sorted(module.file for module in self._sources.values()))

    @property
    def top_names(self) -> tuple[str, ...]:
        """What can be imported once it is installed, as far as that can be told: top-level modules and packages."""
        names = {one.partition(".")[0] for one in (*self.modules, *self.compiled) if self.installs(one) is not False}
        return tuple(sorted(names))

    def installs(self, module: str) -> bool | None:
        """Whether installing the package installs this module of it; None where its setup computes that."""
        if self.is_wheel:
            return True
        return _installs(self._setup, module, self._sources) if self._setup else None

    def class_facts(self, prediction_class: str) -> ClassFacts:
        """What its text says about the class `module.Class` of a custom prediction routine."""
        found = class_lookup.class_facts(self._sources, prediction_class)
        if not found.found:
            hidden = prediction_class.rpartition(".")[0] in self.compiled or not self.complete
            why = found.why if self.complete else self.unread
            return dataclasses.replace(found, certain=found.certain and not hidden, why=why)
        home = next((name for name in _prefixes(prediction_class) if name in self._sources), "")
        return dataclasses.replace(found, installed=self.installs(home))


def read(path: Path) -> PackageFacts:
    """Look into a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl); nothing of it is run.

    An archive that is damaged, no package, or made to hurt is no error here: `problem` says what is wrong with it.
    """
    try:
        archive = read_archive(path, is_read, most=MAX_BYTES)
    except MemberRefused as refused:
        return PackageFacts(path.name, problem=refused.reason, fix=refused.fix, complete=False, unread=refused.reason)
    named = (_WHEEL if archive.is_wheel else _SDIST).fullmatch(path.name)
    facts = PackageFacts(path.name, *(named.group("name", "version") if named else (None, None)))
    if not archive.complete:
        unread = _("only the first {size} MiB of the package were inspected", size=MAX_BYTES >> 20)
        facts = dataclasses.replace(facts, complete=False, unread=unread)
    if archive.is_wheel:
        return _of_wheel(facts, archive, named.group("tags") if named else None)
    return _of_sdist(facts, archive)


def is_read(name: str) -> bool:
    """Whether the text of a member says something about the package."""
    return name.endswith(".py") or name.rpartition("/")[2] in _KEPT


def _of_wheel(facts: PackageFacts, archive: Archive, tags: str | None) -> PackageFacts:
    metadata = next((text for name, text in archive.texts.items() if name.endswith(".dist-info/METADATA")), b"")
    members = {re.sub(r"^[^/]+\.data/(?:purelib|platlib|scripts|data)/", "", name): name for name in archive.members}
    return dataclasses.replace(
        facts,
        **_of_metadata(metadata),
        **_of_members(members, archive),
        tags=tags,
        startup=tuple(sorted(name for name in members if name.endswith(".pth") and "/" not in name)),
    )


def _of_sdist(facts: PackageFacts, archive: Archive) -> PackageFacts:
    root = archive.root
    texts = {name.removeprefix(root): text for name, text in archive.texts.items() if name.startswith(root)}
    script = setup_script.read(texts["setup.py"]) if "setup.py" in texts else SetupScript(computed=frozenset({"**"}))
    config, project = _config(texts.get("setup.cfg", b"")), _project(texts.get("pyproject.toml", b""))
    code_root = root + _code_root(script, config, archive.members, root)
    members = {name.removeprefix(code_root): name for name in archive.members if name.startswith(code_root)}
    for name in script.keywords.get("scripts") or ():  # Google's samples ship their module as a script
        if isinstance(name, str) and root + name in archive.members:
            members.setdefault(PurePosixPath(name).name, root + name)
    members.pop("setup.py", None)
    said = {**_of_metadata(texts.get("PKG-INFO", b"")), **_of_config(config), **_of_project(project)}
    said.update(_of_keywords(script.keywords))
    reads = [*script.reads, *_named_in(config, project)]
    there = {name.removeprefix(root) for name in archive.members}
    lacking = tuple(dict.fromkeys(read for read in reads if archive.complete and not _is_there(read.name, there)))
    runs = build_code.reasons(archive) if archive.complete else ()
    return dataclasses.replace(
        facts, **said, **_of_members(members, archive), lacking=lacking, runs=runs, _setup=script
    )


def _code_root(script: SetupScript, config: configparser.ConfigParser, members: Iterable[str], root: str) -> str:
    """Where the modules lie below the root: `src/`, or nothing."""
    folders = script.keywords.get("package_dir")
    found = folders.get("") if isinstance(folders, dict) else None
    if found is None and script.finds not in (None, "."):
        found = script.finds
    if found is None and "=" in (given := config.get("options", "package_dir", fallback="")):
        found = given.rpartition("=")[2].strip()
    if found is None and not script.keywords.get("py_modules") and not script.keywords.get("packages"):
        modules = [name.removeprefix(root) for name in members if name.endswith(".py")]
        inside = [name for name in modules if name.startswith("src/")]
        found = "src" if inside and not any("/" not in name and name != "setup.py" for name in modules) else None
    folder = str(found or "").strip("/").removeprefix("./")
    return f"{folder}/" if folder not in ("", ".") else ""


def _of_members(members: Mapping[str, str], archive: Archive) -> dict[str, Any]:
    """The modules of an archive: `members` maps names, from where modules are imported, to those in the archive."""
    sources: dict[str, Module] = {}
    compiled: set[str] = set()
    for name, member in members.items():
        parts = name.removesuffix(".py").split("/")
        if name.endswith(".py") and all(part.isidentifier() for part in parts):
            is_package = parts[-1] == "__init__" and len(parts) > 1
            text = archive.texts.get(member)
            dotted = ".".join(parts[:-1] if is_package else parts)
            if text is not None:
                sources[dotted] = Module(member, text, is_package)
            else:
                compiled.add(dotted)  # too large to be read: as good as compiled
        elif _COMPILED.search(parts[-1]) and all(part.isidentifier() for part in parts[:-1]):
            compiled.add(".".join([*parts[:-1], parts[-1].partition(".")[0]]))
    return {"modules": tuple(sorted(sources)), "compiled": tuple(sorted(compiled)), "_sources": sources}


def _installs(script: SetupScript, module: str, sources: Mapping[str, Module]) -> bool | None:
    given = script.keywords
    asked = {"py_modules", "packages", "scripts"}
    listed = [name for key in asked for name in given.get(key) or () if isinstance(name, str)]
    if module in listed or f"{module}.py" in (PurePosixPath(name).name for name in listed):
        return True
    parent = module.rpartition(".")[0]
    package = module if module in sources and sources[module].is_package else parent
    if package and package in listed:
        return True
    if script.finds is not None and package:
        return all(name in sources and sources[name].is_package for name in (package, *_prefixes(package)))
    if asked & script.computed or "**" in script.computed or script.problem:
        return None
    # With none of them setuptools looks for modules itself, or setup.cfg says which.
    return False if asked & set(given) or script.finds is not None else None


def _prefixes(dotted: str) -> Iterator[str]:
    """`a.b` and `a` of `a.b.c`."""
    while "." in dotted:
        dotted = dotted.rpartition(".")[0]
        yield dotted


def _of_metadata(text: bytes) -> dict[str, Any]:
    """Of a PKG-INFO or METADATA."""
    message = email.parser.HeaderParser().parsestr(text.decode("utf-8", "replace"))
    requires = tuple(one for one in message.get_all("Requires-Dist", []) if "extra ==" not in one)
    said = {"name": message.get("Name"), "version": message.get("Version")}
    said["python_requires"] = message.get("Requires-Python")
    return {**{key: value for key, value in said.items() if value}, **({"requires": requires} if requires else {})}


def _of_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Of what setup.py gives to `setup`: that is what counts when it is installed."""
    said = {key: keywords[key] for key in ("name", "version", "python_requires") if isinstance(keywords.get(key), str)}
    requires = keywords.get("install_requires")
    if isinstance(requires, str):
        requires = requires.splitlines()
    return {**said, **({"requires": _texts(requires)} if requires else {})}


def _config(text: bytes) -> configparser.ConfigParser:
    """The setup.cfg; an empty one where it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text.decode("utf-8", "replace"))
    except configparser.Error:
        return configparser.ConfigParser()
    return parser


def _of_config(config: configparser.ConfigParser) -> dict[str, Any]:
    requires = _texts(config.get("options", "install_requires", fallback="").splitlines())
    python = config.get("options", "python_requires", fallback="")
    return {**({"requires": requires} if requires else {}), **({"python_requires": python} if python else {})}


def _project(text: bytes) -> dict[str, Any]:
    """The [project] of a pyproject.toml; nothing where it cannot be read."""
    try:
        found = toml_reader.loads(text.decode("utf-8", "replace")).get("project")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _of_project(project: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: project[key] for key in ("name", "version") if isinstance(project.get(key), str)}
    if isinstance(python := project.get("requires-python"), str):
        said["python_requires"] = python
    requires = project.get("dependencies")
    return {**said, **({"requires": _texts(requires)} if isinstance(requires, list) and requires else {})}


def _named_in(config: configparser.ConfigParser, project: Mapping[str, Any]) -> Iterator[FileRead]:
    """Files that setup.cfg and pyproject.toml name: `long_description = file: README.md`, `readme = "README.md"`."""
    description = config.get("metadata", "long_description", fallback="")
    if description.startswith("file:"):
        for name in description.removeprefix("file:").split(","):
            yield FileRead(name.strip(), 0)
    readme = project.get("readme")
    if isinstance(readme, dict):
        readme = readme.get("file")
    if isinstance(readme, str):
        yield FileRead(readme, 0)


def _is_there(name: str, members: set[str]) -> bool:
    return name in members or name.rstrip("/") in members


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(value.strip() for value in values if isinstance(value, str) and value.strip())

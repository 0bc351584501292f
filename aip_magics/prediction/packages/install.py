"""Install packages into a directory of their own, once for the same contents and Python."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from aip_magics.artifacts.packages import build_code, plain_project
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import cached, interpreters, subprocess_tools
from aip_magics.prediction.interpreters import Interpreter
from aip_magics.prediction.packages import requirements
from aip_magics.prediction.packages.archives import Archive, examine, prepare
from aip_magics.prediction.packages.install_errors import distrusted, failed, not_built
from aip_magics.prediction.packages.names import check_names

DEADLINE = 600.0  # seconds for all packages of a call; the service gives a version some minutes
_OWN_BACKENDS = frozenset({"", "setuptools.build_meta", "setuptools.build_meta:__legacy__"})
_SCRIPTS = ("bin", "Scripts")


def install(
    files: Sequence[Path],
    python: str,
    cache: Path,
    *,
    trusted: Collection[str] = (),
    with_requirements: bool = False,
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Install source distributions and wheels, in this order, for the interpreter `python`: the directory they are in.

    The directory, `cache/packages/HASH`, is named by the contents of the files and the Python, and reused. Without
    `with_requirements` nothing but the files is installed, and the interpreter must have what they require; with it
    their requirements are fetched and installed beside them, as the service does. `on_line` gets the lines of the
    build, `environ` is what its environment is made from (None: this process's), without secrets.

    `trusted` are sha256 digests, in hexadecimal, of archives that the user consented to. What is not among them is
    built only where that runs nothing of the package, and what it requires is taken from wheels of the package index.

    TrustError where it would; PredictionError: FAILED_TO_LOAD_MODEL where an archive is refused or does not build
    within `deadline` seconds, INVALID_USER_CODE where a requirement is not met. InputError where a file is not there.
    """
    files = [_existing(path) for path in files]
    folder = cache.absolute() / "packages"
    digests = [_digest(path) for path in files]
    key = _key(files, digests, python, with_requirements)
    looked: list[Interpreter] = []

    def make(partial: Path) -> None:
        looked.append(interpreters.inspect_interpreter(python, environ))
        build = _Build(partial, looked[0], trusted, with_requirements, deadline, on_line, environ)
        build.run(list(zip(files, digests, strict=True)))

    try:
        made = cached.directory(folder, key, make, deadline=deadline)
    except TimeoutError as error:
        fix = _("allow more time, or build a wheel")
        raise failed(", ".join(path.name for path in files), str(error), fix=fix) from None
    if not with_requirements:
        _check(made, python, looked, environ)
    return made


def _existing(path: Path) -> Path:
    if str(path).startswith("gs:"):
        raise InputError(
            _("a package in Cloud Storage cannot be tried here"), where=str(path), fix=_("download it first")
        )
    if not path.is_file():
        raise InputError(_("there is no such package"), where=str(path), fix=_("name a .tar.gz, .zip or .whl file"))
    return path.absolute()


def _digest(path: Path, copy: Path | None = None) -> str:
    """sha256 of a file in hexadecimal; with `copy` of what is copied there."""
    found = hashlib.sha256()
    with path.open("rb") as file, contextlib.nullcontext() if copy is None else copy.open("xb") as target:
        while block := file.read(1 << 20):
            found.update(block)
            if target is not None:
                target.write(block)
    return found.hexdigest()


def _key(files: Sequence[Path], digests: Sequence[str], python: str, with_requirements: bool) -> str:
    # Of what a wheel is, its name tells a part; of a source distribution the name does no harm.
    parts = [interpreters.tag_of(python), str(with_requirements)]
    for path, digest in zip(files, digests, strict=True):
        parts += [path.name, digest]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _check(target: Path, python: str, looked: Sequence[Interpreter], environ: Mapping[str, str] | None) -> None:
    """Check the requirements again only when something was installed or removed since they were met."""
    who = hashlib.sha256(python.encode()).hexdigest()[:16]
    stamp = target.with_name(f"{target.name}.{who}.met")
    if _as_it_was(stamp):
        return
    interpreter = looked[0] if looked else interpreters.inspect_interpreter(python, environ)
    requirements.check(target, interpreter)
    # Whoever installs a distribution adds an entry to one of these folders.
    times = {path: os.stat(path).st_mtime_ns for path in interpreter.folders}
    scratch = stamp.with_name(f"{stamp.name}.{os.getpid()}")
    scratch.write_text(json.dumps(times), "utf-8")
    os.replace(scratch, stamp)


def _as_it_was(stamp: Path) -> bool:
    try:
        times = json.loads(stamp.read_text("utf-8"))
        return all(os.stat(path).st_mtime_ns == time for path, time in times.items())
    except (OSError, ValueError):
        return False


class _Build:
    """Builds the packages one by one into folders of their own, then moves what they hold together."""

    def __init__(
        self,
        target: Path,
        interpreter: Interpreter,
        trusted: Collection[str],
        with_requirements: bool,
        deadline: float,
        on_line: subprocess_tools.OnLine | None,
        environ: Mapping[str, str] | None,
    ) -> None:
        self._target = target
        self._work = target / ".build"
        self._interpreter = interpreter
        self._trusted = trusted
        self._with_requirements = with_requirements
        self._deadline = deadline
        self._on_line = on_line
        self._environ = environ

    def run(self, files: Sequence[tuple[Path, str]]) -> None:
        """Install these files, each with its digest. All are judged before anything of the first is run."""
        archives = [self._admitted(number, *file) for number, file in enumerate(files)]
        for number, (archive, trusted) in enumerate(archives):
            name, part = archive.path.name, self._work / f"{number}.part"
            source = prepare(archive, self._work / f"{number}.ready", trusted=trusted)
            archive.path.unlink()
            part.mkdir()
            self._install(archive, source, part)
            _take_scripts(part)
            _holds_something(part, name)
            check_names(part, name, self._interpreter)
            if self._with_requirements:
                self._install_requirements(archive, part, trusted)
            self._take(part, name)
        shutil.rmtree(self._work)

    def _admitted(self, number: int, path: Path, digest: str) -> tuple[Archive, bool]:
        """A copy of the file, which nobody changes any more, judged; and whether it is trusted."""
        copy = self._work / f"{number}.given" / path.name
        copy.parent.mkdir(parents=True)
        if _digest(path, copy) != digest:
            raise failed(path.name, _("it changed while it was read"), fix=_("run the same again"))
        archive = examine(copy)
        trusted = digest in self._trusted
        if not trusted and not archive.is_wheel and (reasons := build_code.reasons(archive)):
            raise distrusted(path.name, reasons)
        return archive, trusted

    def _install(self, archive: Archive, source: Path, part: Path) -> None:
        options = ["--no-deps", *([] if self._with_requirements else ["--no-cache"])]
        if self._builds_here(archive):
            options += ["--no-build-isolation", *([] if self._with_requirements else ["--offline"])]
        self._uv(archive, part, *options, str(source))

    def _install_requirements(self, archive: Archive, part: Path, trusted: bool) -> None:
        """What the package in `part` requires. Without consent nothing that would be built, or comes from elsewhere."""
        wanted = requirements.of_index(part, archive.path.name, trusted=trusted)
        if wanted:
            self._uv(archive, part, *([] if trusted else ["--only-binary", ":all:"]), "--", *wanted)

    def _uv(self, archive: Archive, part: Path, *words: str) -> None:
        scratch = self._work / "tmp"
        scratch.mkdir(exist_ok=True)
        python = self._interpreter.python
        options = ["--no-config", "--no-sources", "--no-progress", "--link-mode", "copy"]
        line = subprocess_tools.uv("pip", "install", "--python", python, "--target", str(part), *options, *words)
        variables = subprocess_tools.variables(self._environ, python, scratch, registry=False)
        ran = subprocess_tools.run(
            line, cwd=scratch, variables=variables, deadline=self._deadline, on_line=self._on_line
        )
        shutil.rmtree(scratch)
        if ran.code != 0:
            raise not_built(archive.path.name, archive.members, ran.lines)

    def _builds_here(self, archive: Archive) -> bool:
        """Whether the interpreter itself has what builds the archive, so that nothing has to be fetched."""
        if archive.is_wheel:
            return True
        there = {name.lower(): version for name, version in self._interpreter.installed.items()}
        setuptools = there.get("setuptools", "")
        major = setuptools.partition(".")[0]
        # setuptools makes wheels by itself since 70.1.
        makes_wheels = "wheel" in there or (major.isdecimal() and int(major) > 70)
        return bool(setuptools) and makes_wheels and _built_by_setuptools(archive)

    def _take(self, part: Path, name: str) -> None:
        """Move what was installed to the others. As with pip's --target, of two things of one name the first stays."""
        for entry in sorted(part.iterdir()):
            there = self._target / entry.name
            if entry.name in _SCRIPTS or entry.name == ".lock":
                continue
            if not there.exists():
                os.rename(entry, there)
            elif self._on_line is not None:
                told = _(
                    "{name}: {entry} is there already, from a package before it; it stays", name=name, entry=entry.name
                )
                self._on_line(told)


def _take_scripts(part: Path) -> None:
    """Google's own samples ship the module of a routine as `scripts=["predictor.py"]`."""
    for script in [path for folder in _SCRIPTS for path in sorted((part / folder).glob("*.py"))]:
        if not (part / script.name).exists():
            shutil.copy(script, part / script.name)


def _holds_something(part: Path, name: str) -> None:
    """setuptools only warns of a module that is not there, and makes a package of nothing."""
    if any(not entry.name.endswith((".dist-info", ".lock")) for entry in part.iterdir()):
        return
    if any(dist.requires for dist in metadata.distributions(path=[str(part)])):
        return  # it is there for what it requires
    fix = _("name what it has in setup.py: py_modules=[…] or packages=[…]; or make it with %aip_package")
    raise failed(name, _("it has no module and no package in it"), fix=fix)


def _built_by_setuptools(archive: Archive) -> bool:
    """Whether the archive asks for nothing but setuptools and wheel to be built."""
    from packaging.requirements import InvalidRequirement, Requirement

    system = (plain_project.read((archive.pyproject or b"").decode("utf-8", "replace")) or {}).get("build-system", {})
    if not isinstance(system, dict):
        return True  # the build tells what is wrong with it
    required = system.get("requires", [])
    try:
        names = {Requirement(str(text)).name.lower() for text in required} if isinstance(required, list) else set()
    except InvalidRequirement:
        return False
    return system.get("build-backend", "") in _OWN_BACKENDS and names <= {"setuptools", "wheel"}

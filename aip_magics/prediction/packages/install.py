"""Install packages into a directory of their own, cached by their contents and the Python."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from aip_magics.artifacts.packages import build_code, plain_project
from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import interpreters, subprocess_tools
from aip_magics.prediction.interpreters import Interpreter
from aip_magics.prediction.packages import requirements
from aip_magics.prediction.packages.archives import Archive, examine, prepare
from aip_magics.prediction.packages.install_errors import build_error, install_error, untrusted_error
from aip_magics.prediction.packages.module_names import check_module_names

DEADLINE = 600.0  # seconds for all packages of a call; the service allows a version a few minutes
_OWN_BACKENDS = frozenset({"", "setuptools.build_meta", "setuptools.build_meta:__legacy__"})
_SCRIPTS = ("bin", "Scripts")


def install(
    files: Sequence[Path],
    python: str,
    cache: Path,
    *,
    trusted: Collection[str] = (),
    with_requirements: bool = False,
    check: bool = True,
    deadline: float = DEADLINE,
    on_line: subprocess_tools.OnLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Install source distributions and wheels, in this order, for an interpreter.

    The directory is named by the contents of the files and the Python, and is reused.

    Args:
        files: the archives.
        python: the interpreter.
        cache: the directory of environments and installed packages.
        trusted: sha256 digests (hexadecimal) of the archives that the user trusts. Any other archive is built only if
            that runs none of its code, and its requirements are installed only from wheels of the package index.
        with_requirements: whether to download and install the requirements beside the packages, as the service does.
            Otherwise the interpreter has to meet them.
        check: whether the interpreter is checked to meet them; False for packages of another interpreter.
        deadline: seconds for the installation.
        on_line: called with each line of a build's output.
        environ: the environment variables to build with, secrets removed; None uses those of this process.

    Returns:
        The directory of the installed packages, `cache/packages/HASH`.

    Raises:
        InputError: a file does not exist.
        TrustError: building an untrusted archive would run its code.
        PredictionError: FAILED_TO_LOAD_MODEL if an archive is refused, or the build fails or times out;
            INVALID_USER_CODE if a requirement is not met.
        LocalFileError, OSError: the disk is full.
    """
    files = [_check_file(path) for path in files]
    digests = [_compute_digest(path) for path in files]
    key = _build_key(files, digests, python, with_requirements)
    inspected: list[Interpreter] = []

    def fill(partial: Path) -> None:
        inspected.append(interpreters.inspect_interpreter(python, environ))
        build = _Build(partial, inspected[0], trusted, with_requirements, deadline, on_line, environ)
        build.run(list(zip(files, digests, strict=True)))

    try:
        directory = package_cache(cache).get_or_build(key, fill, lock_timeout=deadline)
    except TimeoutError as error:
        fix = _("allow more time, or build a wheel")
        raise install_error(", ".join(path.name for path in files), str(error), fix=fix) from None
    if check and not with_requirements:
        _check_requirements(directory, python, inspected, environ)
    return directory


def package_cache(cache: Path) -> DirectoryCache:
    """The cache of installed packages. Only the embedded server, which knows its versions, deletes entries of it."""
    return DirectoryCache(cache.absolute() / "packages", max_bytes=math.inf, max_age=math.inf)


def find_entry_names(files: Sequence[Path], python: str) -> frozenset[str]:
    """Find the names in `package_cache` of these archives, installed with and without their requirements.

    PredictionError if the interpreter cannot be run.
    """
    digests = [_compute_digest(path) for path in files]
    return frozenset(_build_key(files, digests, python, with_requirements) for with_requirements in (False, True))


def _check_file(path: Path) -> Path:
    if str(path).startswith("gs:"):
        raise InputError(
            _("packages in Cloud Storage cannot be used for local prediction"),
            where=str(path),
            fix=_("download the package first"),
        )
    if not path.is_file():
        raise InputError(
            _("the package file does not exist"), where=str(path), fix=_("specify a .tar.gz, .zip or .whl file")
        )
    return path.absolute()


def _compute_digest(path: Path, copy: Path | None = None) -> str:
    """Compute the sha256 of a file in hexadecimal, while copying the file to `copy` if given."""
    digest = hashlib.sha256()
    with path.open("rb") as file, contextlib.nullcontext() if copy is None else copy.open("xb") as target:
        while block := file.read(1 << 20):
            digest.update(block)
            if target is not None:
                target.write(block)
    return digest.hexdigest()


def _build_key(files: Sequence[Path], digests: Sequence[str], python: str, with_requirements: bool) -> str:
    # The name of a wheel is part of what the wheel is; the name of a source distribution does no harm.
    parts = [interpreters.get_platform_tag(python), str(with_requirements)]
    for path, digest in zip(files, digests, strict=True):
        parts += [path.name, digest]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _check_requirements(
    target: Path, python: str, inspected: Sequence[Interpreter], environ: Mapping[str, str] | None
) -> None:
    """Check the requirements, unless they were met before and no distribution was installed or removed since."""
    interpreter_key = hashlib.sha256(python.encode()).hexdigest()[:16]
    stamp = target.with_name(f"{target.name}.{interpreter_key}.met")
    if _is_unchanged(stamp):
        return
    interpreter = inspected[0] if inspected else interpreters.inspect_interpreter(python, environ)
    requirements.check_requirements(target, interpreter)
    # Installing a distribution adds an entry to one of these directories.
    times = {path: os.stat(path).st_mtime_ns for path in interpreter.folders}
    scratch = stamp.with_name(f"{stamp.name}.{os.getpid()}")
    try:
        scratch.write_text(json.dumps(times), "utf-8")
        os.replace(scratch, stamp)
    except OSError:  # on a full disk the requirements are checked again next time
        scratch.unlink(missing_ok=True)


def _is_unchanged(stamp: Path) -> bool:
    try:
        times = json.loads(stamp.read_text("utf-8"))
        return all(os.stat(path).st_mtime_ns == time for path, time in times.items())
    except (OSError, ValueError):
        return False


class _Build:
    """Build each package into a directory of its own, then move the contents of all into the target."""

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
        """Install these files, each with its digest. All are validated before any code of the first is run."""
        archives = [self._admit(number, *file) for number, file in enumerate(files)]
        for number, (archive, trusted) in enumerate(archives):
            name, staging = archive.path.name, self._work / f"{number}.part"
            source = prepare(archive, self._work / f"{number}.ready", trusted=trusted)
            archive.path.unlink()
            staging.mkdir()
            self._install(archive, source, staging)
            _copy_scripts(staging)
            _check_not_empty(staging, name)
            check_module_names(staging, name, self._interpreter)
            if self._with_requirements:
                self._install_requirements(archive, staging, trusted)
            self._move_to_target(staging, name)
        shutil.rmtree(self._work)

    def _admit(self, number: int, path: Path, digest: str) -> tuple[Archive, bool]:
        """Validate a private copy of the file, which cannot change any more; return it and whether it is trusted."""
        copy = self._work / f"{number}.given" / path.name
        copy.parent.mkdir(parents=True)
        if _compute_digest(path, copy) != digest:
            raise install_error(path.name, _("the file changed while it was read"), fix=_("run the command again"))
        archive = examine(copy)
        trusted = digest in self._trusted
        if not trusted and not archive.is_wheel and (reasons := build_code.reasons(archive)):
            raise untrusted_error(path.name, reasons)
        return archive, trusted

    def _install(self, archive: Archive, source: Path, staging: Path) -> None:
        options = ["--no-deps", *([] if self._with_requirements else ["--no-cache"])]
        if self._can_build_offline(archive):
            options += ["--no-build-isolation", *([] if self._with_requirements else ["--offline"])]
        self._uv(archive, staging, *options, str(source))

    def _install_requirements(self, archive: Archive, staging: Path, trusted: bool) -> None:
        """Install the requirements of the package in `staging`; for an untrusted package, only wheels of the index."""
        required = requirements.collect_requirements(staging, archive.path.name, trusted=trusted)
        if required:
            self._uv(archive, staging, *([] if trusted else ["--only-binary", ":all:"]), "--", *required)

    def _uv(self, archive: Archive, staging: Path, *arguments: str) -> None:
        scratch = self._work / "tmp"
        scratch.mkdir(exist_ok=True)
        python = self._interpreter.python
        options = ["--no-config", "--no-sources", "--no-progress", "--link-mode", "copy"]
        command = subprocess_tools.uv_command(
            "pip", "install", "--python", python, "--target", str(staging), *options, *arguments
        )
        variables = subprocess_tools.tool_environ(self._environ, python, scratch, registry=False)
        ran = subprocess_tools.run(
            command, cwd=scratch, variables=variables, deadline=self._deadline, on_line=self._on_line
        )
        shutil.rmtree(scratch)
        if ran.code != 0:
            raise build_error(archive.path.name, archive.members, ran.lines, self._target.parent)

    def _can_build_offline(self, archive: Archive) -> bool:
        """Whether the interpreter has all that the build needs, so that no build requirement has to be downloaded."""
        if archive.is_wheel:
            return True
        installed = {name.lower(): version for name, version in self._interpreter.installed.items()}
        setuptools = installed.get("setuptools", "")
        major = setuptools.partition(".")[0]
        # setuptools builds wheels without the wheel package since 70.1.
        builds_wheels = "wheel" in installed or (major.isdecimal() and int(major) > 70)
        return bool(setuptools) and builds_wheels and _needs_only_setuptools(archive)

    def _move_to_target(self, staging: Path, name: str) -> None:
        """Move a package's files to the target. As with pip's --target, existing files are kept."""
        for entry in sorted(staging.iterdir()):
            destination = self._target / entry.name
            if entry.name in _SCRIPTS or entry.name == ".lock":
                continue
            if not destination.exists():
                os.rename(entry, destination)
            elif self._on_line is not None:
                self._on_line(
                    _(
                        "{name}: skipped {entry}, which was already installed by a previous package",
                        name=name,
                        entry=entry.name,
                    )
                )


def _copy_scripts(staging: Path) -> None:
    """Copy scripts next to the modules: Google's samples ship a routine's module as `scripts=["predictor.py"]`."""
    for script in [path for folder in _SCRIPTS for path in sorted((staging / folder).glob("*.py"))]:
        if not (staging / script.name).exists():
            shutil.copy(script, staging / script.name)


def _check_not_empty(staging: Path, name: str) -> None:
    """Refuse an empty package: setuptools only warns about a missing module and builds a package without it."""
    if any(not entry.name.endswith((".dist-info", ".lock")) for entry in staging.iterdir()):
        return
    if any(dist.requires for dist in metadata.distributions(path=[str(staging)])):
        return  # a metapackage, which exists for its requirements
    fix = _("list the modules in setup.py (py_modules=[…] or packages=[…]), or build the package with %aip_package")
    raise install_error(name, _("the package contains no modules"), fix=fix)


def _needs_only_setuptools(archive: Archive) -> bool:
    """Whether the build of the archive requires nothing but setuptools and wheel."""
    from packaging.requirements import InvalidRequirement, Requirement

    system = (plain_project.read((archive.pyproject or b"").decode("utf-8", "replace")) or {}).get("build-system", {})
    if not isinstance(system, dict):
        return True  # the build reports what is wrong
    required = system.get("requires", [])
    try:
        names = {Requirement(str(text)).name.lower() for text in required} if isinstance(required, list) else set()
    except InvalidRequirement:
        return False
    return system.get("build-backend", "") in _OWN_BACKENDS and names <= {"setuptools", "wheel"}

"""What a container installs: the libraries that saved the model, those of its code, and those of the server.

Nothing is asked of the package index. A library of this Python is pinned to its release, with all that it requires,
where the container has the same Python and the release is one that the model permits; other libraries keep the bounds
of the catalog, which pip resolves when the container is built.
"""

from __future__ import annotations

import ast
import dataclasses
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts import model_file as model_files
from aip_magics.errors import RuntimeEnvironmentError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.environments.pins import build_pins, get_runtime
from aip_magics.prediction.runtime_setup import get_model_libraries

# What `aip_magics.serving` imports, without what only other parts of the package do.
SERVER = (
    "uvicorn", "httptools", "google-auth", "requests", "urllib3", "google-crc32c", "blake3", "filelock",
    "platformdirs", "packaging", 'tomli; python_version < "3.11"',
)  # fmt: skip
SERVER_PYTHON = "3.12"  # of a container whose model needs a Python that the server does not run on
OLDEST_SERVER_PYTHON = (3, 10)
THIS_PYTHON = ".".join(map(str, sys.version_info[:2]))
_MODEL_SUFFIXES = (".joblib", ".pkl", ".pickle", ".bst")
_BUILD_TOOLS = frozenset({"wheel"})  # nothing is built in the container: its packages are installed already


@dataclasses.dataclass(frozen=True)
class Requirements:
    """What to install.

    Attributes:
        python: The Python that loads the model, `3.11`.
        model: The lines of the model's requirements file; with those of the server if both share a Python.
        server: The lines for the server, if it runs on another Python; else empty.
        reason: One line that says where the libraries come from.
    """

    python: str
    model: tuple[str, ...]
    server: tuple[str, ...]
    reason: str

    @property
    def server_python(self) -> str:
        """The Python of the image."""
        return SERVER_PYTHON if self.server else self.python


def find_requirements(
    model: ModelDir | None,
    framework: str | None,
    code: Path | None,
    *,
    runtime_version: str | None = None,
    python_version: str | None = None,
) -> Requirements:
    """Find the requirements of a container.

    Args:
        model: The model directory.
        framework: The API's name of the framework; None for a routine, or if it is not known.
        code: The directory of the installed custom code.
        runtime_version: Use the libraries of this runtime version instead of those that saved the model.
        python_version: The Python of the container.

    Raises:
        FieldError: The runtime version does not exist.
        RuntimeEnvironmentError: The model's libraries need different Pythons.
    """
    if runtime_version:
        runtime, python = get_runtime(runtime_version, python_version)
        lines: Sequence[str] = build_pins(runtime, framework)
        reason = _("libraries of runtime {version}", version=runtime_version)
    else:
        libraries, modules = _saved_with(model, framework)
        environment = catalog.find_model_environment(libraries, modules)
        if environment is None:
            text = ", ".join(f"{name} {version}" for name, version in libraries.items())
            raise RuntimeEnvironmentError(
                _("no Python version has wheels of {libraries} together", libraries=text),
                where="--origin",
                fix=_("train and save the model again with the libraries of one environment"),
            )
        python = python_version or _choose_python(environment.pythons)
        lines = environment.pins if libraries or model else ()
        saved = ", ".join(f"{name} {version}" for name, version in libraries.items())
        reason = (
            _("libraries that saved the model: {libraries}", libraries=saved)
            if libraries
            else _("libraries of this Python, since the model does not name its own")
        )
    found = {name: line for line in lines if (name := _name(line)) not in _BUILD_TOOLS}
    for line in _required_by(code):
        found.setdefault(_name(line), line)
    if not runtime_version and python == THIS_PYTHON:
        for name in _imported_by(code):
            found.setdefault(name, name)
    resolved = _resolve(found.values(), python)
    if tuple(map(int, python.split("."))) < OLDEST_SERVER_PYTHON:
        return Requirements(python, resolved, _resolve(SERVER, SERVER_PYTHON), reason)
    both = {_name(line): line for line in (*_resolve(SERVER, python), *resolved)}
    return Requirements(python, tuple(sorted(both.values(), key=str.lower)), (), reason)


def _saved_with(model: ModelDir | None, framework: str | None) -> tuple[Mapping[str, str], set[str]]:
    """The libraries that saved a model, and the modules it names; of a routine those of all its model files."""
    if model is None:
        return {}, set()
    libraries = dict(get_model_libraries(model, framework))
    modules: set[str] = set()
    for file in model.files:
        if file.name.endswith(_MODEL_SUFFIXES):
            info = model_files.read(file.path)
            for name, version in info.libraries.items():
                libraries.setdefault(name, version)
            modules.update(one.module for one in info.pickle.globals) if info.pickle else None
    return libraries, modules


def _choose_python(pythons: Sequence[str]) -> str:
    if not pythons or THIS_PYTHON in pythons:
        return THIS_PYTHON
    serving = [python for python in pythons if tuple(map(int, python.split("."))) >= OLDEST_SERVER_PYTHON]
    return (serving or pythons)[0]


def _required_by(code: Path | None) -> Iterator[str]:
    """The requirements that the custom code's packages declare, without those among themselves."""
    if code is None:
        return
    distributions = list(metadata.distributions(path=[str(code)]))
    own = {canonicalize_name(one.name) for one in distributions}
    for one in sorted(distributions, key=lambda one: one.name):
        for text in one.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue  # pip would refuse the whole file
            extra = requirement.marker is not None and "extra" in str(requirement.marker)
            if not extra and canonicalize_name(requirement.name) not in own:
                yield str(requirement)


def _imported_by(code: Path | None) -> set[str]:
    """The distributions of this Python that the custom code imports: images of runtime versions had most of them."""
    if code is None:
        return set()
    tops: set[str] = set()
    own = set()
    for path in sorted(code.rglob("*.py")):
        own.add(path.relative_to(code).parts[0].removesuffix(".py"))
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # of another Python
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                tops.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                tops.add(node.module.partition(".")[0])
    providers = metadata.packages_distributions()
    wanted = tops - own - set(sys.stdlib_module_names) - {"aip_magics"}
    return {canonicalize_name(providers[top][0]) for top in wanted if top in providers}


def _resolve(lines: Iterable[str], python: str) -> tuple[str, ...]:
    """Pin what this Python has, with all that it requires; what it has not, or has in a release that is not meant,
    stays as it is.
    """
    found: dict[str, str] = {}
    queue = list(lines)
    markers = _markers(python)
    while queue:
        line = queue.pop(0)
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({**markers, "extra": ""}):
            continue
        installed = _installed(name, python) if not requirement.url else None
        if installed is None or not requirement.specifier.contains(installed.version, prereleases=True):
            requirement.marker = None
            text = str(requirement)
            if name not in found or len(text) > len(found[name]):
                found[name] = text
            continue
        if name in found:
            continue
        found[name] = f"{name}=={_public(installed.version)}"
        queue += [text for text in installed.requires or () if "extra ==" not in text]
    return tuple(sorted(found.values(), key=str.lower))


def _installed(name: str, python: str) -> metadata.Distribution | None:
    """The distribution of this Python, if the container's Python can be expected to have the same."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if python == THIS_PYTHON:
        return found
    pure = not any(str(path).endswith((".so", ".pyd", ".dylib")) for path in found.files or ())
    supported = ",".join(found.metadata.get_all("Requires-Python") or ())
    if not pure or not supported or not Requirement(f"x{supported}").specifier.contains(python):
        return None
    return found


def _public(version: str) -> str:
    """Without a local version: `2.1.0+cpu` is not on the package index."""
    return re.sub(r"\+.*", "", version)


def _markers(python: str) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0" if python != THIS_PYTHON else platform.python_version(),
        "python_version": python,
        "sys_platform": "linux",
    }


def _name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)

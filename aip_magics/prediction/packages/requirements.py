"""Find the requirements of installed packages that the interpreter does not meet.

For the user's own interpreter, packages are installed without their requirements, so that none of the user's libraries
is changed or shadowed. Missing requirements are therefore reported instead of installed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from aip_magics.errors import PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.interpreters import Interpreter
from aip_magics.prediction.packages.install_errors import install_error, untrusted_error


class MissingRequirement(NamedTuple):
    """An unmet requirement: the distribution that has it, its text, and the installed version (None: not installed)."""

    package: str
    requirement: str
    found: str | None


def check_requirements(target: Path, interpreter: Interpreter) -> None:
    """Raise PredictionError (INVALID_USER_CODE) if `interpreter` lacks requirements of the packages in `target`."""
    missing = list(missing_requirements(target, interpreter))
    if not missing:
        return
    summaries = "; ".join(map(_summary, missing))
    required = dict.fromkeys(requirement for _name, requirement, _installed in missing)
    raise PredictionError(
        "INVALID_USER_CODE",
        _(
            "unmet requirements in Python {version}: {requirements}",
            version=interpreter.version,
            requirements=summaries,
        ),
        where=interpreter.python,
        fix=shlex.join([interpreter.python, "-m", "pip", "install", *required]),
    )


def collect_requirements(folder: Path, package: str, *, trusted: bool) -> list[str]:
    """Collect the requirements of the distributions in `folder`, as they are requested from the package index.

    Raises:
        TrustError: a requirement has a URL of its own (`x @ https://…`) and the `package` is not trusted.
        PredictionError: a requirement is invalid.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found: dict[str, None] = {}
    for dist in metadata.distributions(path=[str(folder)]):
        for text in dist.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                fix = _("write the requirement as NAME==VERSION")
                raise install_error(
                    package, _("invalid requirement {requirement!r}", requirement=text), fix=fix
                ) from None
            if requirement.marker is not None and "extra" in str(requirement.marker):
                continue  # extras are never installed
            if requirement.url and not trusted:
                raise untrusted_error(
                    package, [_("requirement {requirement} comes from a URL", requirement=str(requirement))]
                )
            found[str(requirement)] = None
    return list(found)


def _summary(missing: MissingRequirement) -> str:
    package, requirement, installed = missing
    if installed is None:
        return _("{package} requires {requirement}, which is not installed", package=package, requirement=requirement)
    return _(
        "{package} requires {requirement}, but {installed} is installed",
        package=package,
        requirement=requirement,
        installed=installed,
    )


def missing_requirements(target: Path, interpreter: Interpreter) -> Iterator[MissingRequirement]:
    """Yield the requirements of the distributions in `target` that neither the interpreter nor `target` meets."""
    from packaging.utils import canonicalize_name

    installed: dict[str, str] = {canonicalize_name(name): version for name, version in interpreter.installed.items()}
    distributions = list(metadata.distributions(path=[str(target)]))
    installed.update({canonicalize_name(dist.name): dist.version for dist in distributions})
    for dist in sorted(distributions, key=lambda dist: dist.name):
        for text in dist.requires or ():
            found = _find_unmet(text, installed, interpreter.markers)
            if found is not None:
                yield MissingRequirement(dist.name, *found)


def _find_unmet(text: str, installed: Mapping[str, str], markers: Mapping[str, str]) -> tuple[str, str | None] | None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return text, None
    if requirement.marker is not None and not requirement.marker.evaluate({**markers, "extra": ""}):
        return None
    requirement.marker = None
    found = installed.get(canonicalize_name(requirement.name))
    if found is not None and requirement.specifier.contains(found, prereleases=True):
        return None
    return str(requirement), found

"""What installed packages require and the interpreter lacks.

A package is installed without its requirements where the interpreter is the user's own: nothing of theirs is changed
or shadowed behind their back. So what is missing has to be told.
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
from aip_magics.prediction.packages.install_errors import distrusted, failed


class MissingRequirement(NamedTuple):
    """A requirement that is not met: the distribution that has it, its text, the version there is (None: none)."""

    package: str
    requirement: str
    found: str | None


def check(target: Path, interpreter: Interpreter) -> None:
    """PredictionError (INVALID_USER_CODE) where `interpreter` lacks what the packages in `target` require."""
    lacking = list(missing_requirements(target, interpreter))
    if not lacking:
        return
    told = "; ".join(map(_summary, lacking))
    wanted = dict.fromkeys(requirement for _name, requirement, _found in lacking)
    raise PredictionError(
        "INVALID_USER_CODE",
        _("{told} in Python {version}", told=told, version=interpreter.version),
        where=interpreter.python,
        fix=shlex.join([interpreter.python, "-m", "pip", "install", *wanted]),
    )


def of_index(folder: Path, package: str, *, trusted: bool) -> list[str]:
    """What the distributions in `folder` require, as the package index is asked for it.

    TrustError where it comes from elsewhere (`x @ https://…`) and the `package` is not trusted; PredictionError where
    it is no requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    wanted: dict[str, None] = {}
    for dist in metadata.distributions(path=[str(folder)]):
        for text in dist.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                fix = _("write what it requires as NAME==VERSION")
                raise failed(package, _("{requirement!r} is no requirement", requirement=text), fix=fix) from None
            if requirement.marker is not None and "extra" in str(requirement.marker):
                continue  # nobody asks for an extra
            if requirement.url and not trusted:
                raise distrusted(package, [_("it requires {requirement}", requirement=str(requirement))])
            wanted[str(requirement)] = None
    return list(wanted)


def _summary(lacking: MissingRequirement) -> str:
    package, requirement, found = lacking
    if found is None:
        return _("{package} requires {requirement}, there is none", package=package, requirement=requirement)
    return _(
        "{package} requires {requirement}, there is {found}", package=package, requirement=requirement, found=found
    )


def missing_requirements(target: Path, interpreter: Interpreter) -> Iterator[MissingRequirement]:
    """The requirements of the distributions in `target` that neither they themselves nor the interpreter meet."""
    from packaging.utils import canonicalize_name

    there: dict[str, str] = {canonicalize_name(name): version for name, version in interpreter.installed.items()}
    distributions = list(metadata.distributions(path=[str(target)]))
    there.update({canonicalize_name(dist.name): dist.version for dist in distributions})
    for dist in sorted(distributions, key=lambda dist: dist.name):
        for text in dist.requires or ():
            found = _unmet(text, there, interpreter.markers)
            if found is not None:
                yield MissingRequirement(dist.name, *found)


def _unmet(text: str, there: Mapping[str, str], markers: Mapping[str, str]) -> tuple[str, str | None] | None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return text, None
    if requirement.marker is not None and not requirement.marker.evaluate({**markers, "extra": ""}):
        return None
    requirement.marker = None
    found = there.get(canonicalize_name(requirement.name))
    if found is not None and requirement.specifier.contains(found, prereleases=True):
        return None
    return str(requirement), found

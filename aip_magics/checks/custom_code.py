"""Rules about custom code: the packages of packageUris and the class of a custom prediction routine.

A package is a gs:// object, or a file of this machine that is uploaded with the model.
"""

from __future__ import annotations

import re
from pathlib import Path

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule, warning
from aip_magics.spec import nearest

SUFFIXES = (".tar.gz", ".zip", ".whl")
_PACKAGES = "version.packageUris"
_CLASS = "version.predictionClass"
_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


@rule("C01", link=links.API)
def package_names(subject: Subject) -> Outcomes:
    """Every package is a source distribution (.tar.gz, .zip) or a wheel (.whl), in Cloud Storage or on this machine."""
    fix = "name the file that `%aip_package` or `python -m build --sdist` makes"
    found = []
    for uri in subject.version.packageUris or ():
        if not uri.endswith(SUFFIXES):
            text = f"{uri} is not a package: its name does not end in {', '.join(SUFFIXES)}"
            found.append(error(_PACKAGES, text, fix))
        elif uri.startswith("gs://") and not re.fullmatch(r"gs://[^/]+/(.*[^/])", uri):
            found.append(error(_PACKAGES, f"{uri} is not the name of an object", "gs://BUCKET/PATH/NAME.tar.gz"))
    return found


@rule("C02", link=links.API)
def package_files(subject: Subject) -> Outcomes:
    """A package of this machine is a file that is there."""
    found = []
    for given in subject.version.packageUris or ():
        path = Path(given).expanduser()
        if given.startswith("gs://") or path.is_file():
            continue
        what = "is a directory" if path.is_dir() else "is not there"
        found.append(error(_PACKAGES, f"{given} {what}", _package_fix(path)))
    return found


@rule("C03", link=links.ROUTINES)
def class_needs_package(subject: Subject) -> Outcomes:
    """The class of a custom prediction routine lies in a package of packageUris."""
    version = subject.version
    if version.predictionClass is None or version.packageUris:
        return []
    text = f"{version.predictionClass} needs the package that holds it"
    return [error(_PACKAGES, text, "%aip_package my_module.py makes one; add --package-uris dist/NAME.tar.gz")]


@rule("C04", link=links.API)
def class_name(subject: Subject) -> Outcomes:
    """predictionClass is the name of a class with its module: `module.Class`."""
    asked = subject.version.predictionClass
    if asked is None or _CLASS_NAME.fullmatch(asked):
        return []
    fix = f"my_module.{asked}" if asked.isidentifier() else "write module.Class"
    return [error(_CLASS, f"{asked!r} is not of the form module.Class", fix)]


@rule("S17", link=links.CUSTOM_ON_N1)
def custom_code_machine(subject: Subject) -> Outcomes:
    """Custom prediction routines need an MLS1 machine, which only the global endpoint has.

    Packages alone are documented so too, but an official sample deploys them to an N1 machine: that only warns.
    """
    version = subject.version
    if not (version.predictionClass or version.packageUris) or subject.family == "MLS1":
        return []
    where = "version.machineType" if version.machineType and not subject.target.regional else "region"
    fix = f"leave --region out and use {catalog.default_machine_type(False).name}"
    if version.predictionClass:
        return [error(where, "custom prediction routines run on MLS1 machines of the global endpoint only", fix)]
    return [warning(where, "custom code is documented for MLS1 machines of the global endpoint only", fix)]


def _package_fix(path: Path) -> str:
    if path.is_dir():
        return f"%aip_package {path} makes a package of it"
    folder = path.parent
    names = [one.name for one in folder.iterdir() if one.name.endswith(SUFFIXES)] if folder.is_dir() else []
    return nearest(path.name, names) or (f"there is {', '.join(sorted(names)[:5])}" if names else "build it first")

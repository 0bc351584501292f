"""Rules about custom code: the packages of packageUris and the class of a custom prediction routine.

A package is a gs:// object, or a file of this machine that is uploaded with the model.
"""

from __future__ import annotations

import re
from pathlib import Path

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest

SUFFIXES = (".tar.gz", ".zip", ".whl")
_PACKAGES = "version.packageUris"
_CLASS = "version.predictionClass"
_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


@rule("C01", link=links.API)
def package_names(context: CheckContext) -> Outcomes:
    """Every package is a source distribution (.tar.gz, .zip) or a wheel (.whl), in Cloud Storage or on this machine."""
    fix = _("name the file that `%aip_package` or `python -m build --sdist` makes")
    found = []
    for uri in context.version.packageUris or ():
        if not uri.endswith(SUFFIXES):
            text = _(
                "{uri} is not a package: its name does not end in {suffixes}", uri=uri, suffixes=", ".join(SUFFIXES)
            )
            found.append(error(_PACKAGES, text, fix))
        elif uri.startswith("gs://") and not re.fullmatch(r"gs://[^/]+/(.*[^/])", uri):
            found.append(
                error(_PACKAGES, _("{uri} is not the name of an object", uri=uri), "gs://BUCKET/PATH/NAME.tar.gz")
            )
    return found


@rule("C02", link=links.API)
def package_files(context: CheckContext) -> Outcomes:
    """A package of this machine is a file that is there."""
    found = []
    for given in context.version.packageUris or ():
        path = Path(given).expanduser()
        if given.startswith("gs://") or path.is_file():
            continue
        text = _("{file} is a directory", file=given) if path.is_dir() else _("{file} is not there", file=given)
        found.append(error(_PACKAGES, text, _package_fix(path)))
    return found


@rule("C03", link=links.ROUTINES)
def class_needs_package(context: CheckContext) -> Outcomes:
    """The class of a custom prediction routine lies in a package of packageUris."""
    version = context.version
    if version.predictionClass is None or version.packageUris:
        return []
    text = _("{predictionClass} needs the package that holds it", predictionClass=version.predictionClass)
    return [error(_PACKAGES, text, _("%aip_package my_module.py makes one; add --package-uris dist/NAME.tar.gz"))]


@rule("C04", link=links.API)
def class_name(context: CheckContext) -> Outcomes:
    """predictionClass is the name of a class with its module: `module.Class`."""
    asked = context.version.predictionClass
    if asked is None or _CLASS_NAME.fullmatch(asked):
        return []
    fix = f"my_module.{asked}" if asked.isidentifier() else _("write module.Class")
    return [error(_CLASS, _("{asked!r} is not of the form module.Class", asked=asked), fix)]


@rule("S17", link=links.CUSTOM_ON_N1)
def custom_code_machine(context: CheckContext) -> Outcomes:
    """Custom prediction routines need an MLS1 machine, which only the global endpoint has.

    Packages alone are documented so too, but an official sample deploys them to an N1 machine: that only warns.
    """
    version = context.version
    if not (version.predictionClass or version.packageUris) or context.family == "MLS1":
        return []
    where = "version.machineType" if version.machineType and not context.target.regional else "region"
    fix = _("leave --region out and use {name}", name=catalog.default_machine_type(False).name)
    if version.predictionClass:
        return [error(where, _("custom prediction routines run on MLS1 machines of the global endpoint only"), fix)]
    return [warning(where, _("custom code is documented for MLS1 machines of the global endpoint only"), fix)]


@rule("C05", link=links.CUSTOM_ON_N1)
def code_framework(context: CheckContext) -> Outcomes:
    """Packages without a predictionClass are for scikit-learn models: pipelines with steps of the user's own."""
    version = context.version
    if not version.packageUris or version.predictionClass or context.framework not in ("TENSORFLOW", "XGBOOST"):
        return []
    text = _(
        "packages are documented for scikit-learn models and for a predictionClass, not for {framework}",
        framework=context.framework,
    )
    return [warning(_PACKAGES, text, _("leave {field} out, or give predictionClass", field="packageUris"))]


def _package_fix(path: Path) -> str:
    if path.is_dir():
        return _("%aip_package {path} makes a package of it", path=path)
    folder = path.parent
    names = [one.name for one in folder.iterdir() if one.name.endswith(SUFFIXES)] if folder.is_dir() else []
    if not names:
        return _("build it first")
    return nearest(path.name, names) or _("there is {names}", names=", ".join(sorted(names)[:5]))

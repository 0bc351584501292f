"""Rules about custom code: the packages of packageUris and the class of a custom prediction routine.

A package is a gs:// object, or a local file that is uploaded with the model.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext, is_gs_uri
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest

SUFFIXES = (".tar.gz", ".zip", ".whl")
_PACKAGES = "version.packageUris"
_CLASS = "version.predictionClass"
_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


@rule("C01", "invalid-package-name", link=links.API)
def invalid_package_name(context: CheckContext) -> Outcomes:
    """A package must be a source distribution (.tar.gz, .zip) or a wheel (.whl), local or in Cloud Storage."""
    fix = _("use a file built with `%aip_package` or `python -m build --sdist`")
    found = []
    for uri in context.version.packageUris or ():
        if not uri.endswith(SUFFIXES):
            text = _(
                "{uri} is not a package: expected a file name that ends in {suffixes}",
                uri=uri,
                suffixes=", ".join(SUFFIXES),
            )
            found.append(error(_PACKAGES, text, fix))
        elif is_gs_uri(uri) and not re.fullmatch(r"gs://[^/]+/(.*[^/])", uri):
            found.append(error(_PACKAGES, _("{uri} is not an object URI", uri=uri), "gs://BUCKET/PATH/NAME.tar.gz"))
    return found


@rule("C02", "missing-package-file", link=links.API)
def missing_package_file(context: CheckContext) -> Outcomes:
    """A local package must be an existing file."""
    found = []
    for uri in context.version.packageUris or ():
        path = Path(os.path.expanduser(uri))
        if is_gs_uri(uri) or path.is_file():
            continue
        text = _("{file} is a directory", file=uri) if path.is_dir() else _("{file} does not exist", file=uri)
        found.append(error(_PACKAGES, text, _package_fix(path)))
    return found


@rule("C03", "prediction-class-without-package", link=links.ROUTINES)
def prediction_class_without_package(context: CheckContext) -> Outcomes:
    """The class of a custom prediction routine requires packageUris with the package that contains it."""
    version = context.version
    if version.predictionClass is None or version.packageUris:
        return []
    text = _("{predictionClass} requires the package that contains the class", predictionClass=version.predictionClass)
    return [
        error(
            _PACKAGES,
            text,
            _("build the package with %aip_package my_module.py, then add --package-uris dist/NAME.tar.gz"),
        )
    ]


@rule("C04", "invalid-prediction-class-name", link=links.API)
def invalid_prediction_class_name(context: CheckContext) -> Outcomes:
    """predictionClass must be the name of a class with its module: `module.Class`."""
    name = context.version.predictionClass
    if name is None or _CLASS_NAME.fullmatch(name):
        return []
    fix = f"my_module.{name}" if name.isidentifier() else _("use the form module.Class")
    return [error(_CLASS, _("invalid class name {asked!r}, expected module.Class", asked=name), fix)]


@rule("S17", "custom-code-on-wrong-machine", link=links.CUSTOM_ON_N1)
def custom_code_on_wrong_machine(context: CheckContext) -> Outcomes:
    """Custom prediction routines require an MLS1 machine, which only the global endpoint has.

    The same is documented for packages alone, but an official sample deploys those to an N1 machine: only a warning.
    """
    version = context.version
    if not (version.predictionClass or version.packageUris) or context.family == "MLS1":
        return []
    where = "version.machineType" if version.machineType and not context.target.regional else "region"
    fix = _("omit --region and use {name}", name=catalog.default_machine_type(False).name)
    if version.predictionClass:
        return [error(where, _("custom prediction routines run only on MLS1 machines on the global endpoint"), fix)]
    return [warning(where, _("custom code is only documented for MLS1 machines on the global endpoint"), fix)]


@rule("C05", "packages-for-wrong-framework", link=links.CUSTOM_ON_N1)
def packages_for_wrong_framework(context: CheckContext) -> Outcomes:
    """Packages without a predictionClass are for scikit-learn models, whose pipelines may have custom steps."""
    version = context.version
    if not version.packageUris or version.predictionClass or context.framework not in ("TENSORFLOW", "XGBOOST"):
        return []
    text = _(
        "packages are documented for scikit-learn models and for a predictionClass, not for {framework}",
        framework=context.framework,
    )
    return [warning(_PACKAGES, text, _("omit {field}, or set predictionClass", field="packageUris"))]


def _package_fix(path: Path) -> str:
    if path.is_dir():
        return _("build a package with %aip_package {path}", path=path)
    parent = path.parent
    paths = [str(file) for file in parent.iterdir() if file.name.endswith(SUFFIXES)] if parent.is_dir() else []
    if not paths:
        return _("build the package first")
    return nearest(str(path), paths) or _("use an existing package: {names}", names=", ".join(sorted(paths)[:5]))

"""Rules about the contents of custom code packages: whether they can be installed, and the class of a routine.

Packages in Cloud Storage are not inspected: the rules are skipped for them, and only the service checks them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

from aip_magics import catalog
from aip_magics.artifacts.facts import ClassFacts
from aip_magics.artifacts.packages import PackageFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import package_modules
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import advice, error, in_cloud, rule
from aip_magics.i18n import gettext as _

_PACKAGES = "version.packageUris"
_CLASS = "version.predictionClass"
_PREDICT = "def predict(self, instances, **kwargs):"
_FROM_PATH = "@classmethod\ndef from_path(cls, model_dir):"
_LOWER_BOUNDS = ("==", "===", ">=", "~=", ">")
_STDLIB_MODULES = sys.stdlib_module_names | {"sitecustomize", "usercustomize"}  # Python imports these two at startup
_KNOWN = ("scikit-learn", "xgboost", "tensorflow", "numpy", "pandas")
_COLUMNS = {"scikit-learn": "sklearn"}  # distribution → column of max_library_versions, if they differ
ClassCheck: TypeAlias = Callable[[CheckContext, ClassFacts], Outcomes]


@rule("A10", "uninstallable-package", link=links.INSTALL_FAILED)
def uninstallable_package(context: CheckContext) -> Outcomes:
    """The packages must be installable: complete, with all files that their setup reads, for the runtime's Python.

    Archives are refused if they are corrupted, have duplicate names, paths outside the archive, devices or links to
    directories, or unpack to far more than their size. No module may have the name of one of Python's own.
    """
    found = [finding for facts in context.packages for finding in _install(context, facts)]
    return found or _skip_remote(context)


@rule("A15", "prediction-class-not-found", link=links.ROUTINES)
def prediction_class_not_found(context: CheckContext) -> Outcomes:
    """predictionClass must be in one of the packages, in a module that its setup installs."""
    facts = _get_class_facts(context)
    if isinstance(facts, Skipped):
        return facts
    name = context.version.predictionClass or ""
    if not facts.found:
        fix = f"predictionClass: {facts.near[0]}" if facts.near else _("use module.Class as defined in the package")
        return [error(_CLASS, _("could not find {name} in the packages: {why}", name=name, why=facts.why), fix)]
    if facts.installed is not False:
        return []
    module = name.rpartition(".")[0]
    text = _(
        "the setup of the package does not install module {module}, which contains {name}", module=module, name=name
    )
    fix = "packages=find_packages()" if "." in module else f"setup(…, py_modules=[{module!r}])"
    return [error(_CLASS, text, fix)]


def _on_class(check: ClassCheck) -> Callable[[CheckContext], Outcomes]:
    """Decorate a rule about the class of a routine: skipped if the class is not found, which A15 reports."""

    def checked(context: CheckContext) -> Outcomes:
        facts = _get_class_facts(context)
        if isinstance(facts, Skipped):
            return facts
        if not facts.found:
            return Skipped(_("the class was not found"))
        return check(context, facts)

    checked.__doc__ = check.__doc__
    return checked


@rule("A16", "incomplete-prediction-class", link=links.ROUTINES)
@_on_class
def incomplete_prediction_class(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """The class of a custom prediction routine must have the class method `from_path(model_dir)` and `predict`."""
    name, found = context.version.predictionClass or "", []
    missing = [member for member in ("from_path", "predict") if not getattr(facts, member)]
    if missing and not facts.certain:
        return Skipped(facts.why)
    for member in missing:
        fix = _FROM_PATH if member == "from_path" else _PREDICT
        found.append(error(_CLASS, _("{name} has no method {member}", name=name, member=member), fix))
    if facts.from_path_takes_dir is False:
        text = _("{name}.from_path cannot be called with only the model directory", name=name)
        found.append(error(_CLASS, text, _FROM_PATH))
    return found


@rule("A17", "extra-predict-arguments", link=links.ROUTINES)
@_on_class
def extra_predict_arguments(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """`predict` must have only the positional parameters self and instances, no others even with defaults."""
    args = facts.predict_args
    if args is None:
        return Skipped(facts.why) if facts.predict else []
    if len(args) == 2:
        return []
    text = _(
        "{name}.predict takes ({args}), expected only self and instances",
        name=context.version.predictionClass,
        args=", ".join(args),
    )
    return [error(_CLASS, text, _("use {line} and read the rest from kwargs", line=_PREDICT))]


@rule("R02", "predict-without-kwargs", link=links.NO_STATS)
@_on_class
def predict_without_kwargs(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """`predict` must accept `**kwargs`: the service passes `stats=`, and every further key of a request."""
    if facts.has_kwargs or facts.predict_args is None or len(facts.predict_args) != 2:
        return []  # A17 reports other parameters
    if "stats" in facts.keyword_only:
        return []
    text = _(
        "{name}.predict does not accept **kwargs, but the service passes stats=", name=context.version.predictionClass
    )
    return [error(_CLASS, text, _PREDICT)]


def _get_class_facts(context: CheckContext) -> ClassFacts | Skipped:
    """Return the facts about the class from the package that has it, else from the closest match."""
    name = context.version.predictionClass
    if name is None:
        return Skipped(_("no predictionClass is set"))
    candidates = [facts.class_facts(name) for facts in context.packages if not facts.problem]
    if found := next((facts for facts in candidates if facts.found), None):
        return found
    if isinstance(skipped := _skip_remote(context), Skipped):
        return skipped
    if not candidates:
        return Skipped(_("found no package to inspect"))
    if uncertain := next((facts for facts in candidates if not facts.certain), None):
        return Skipped(uncertain.why)
    if name.partition(".")[0] not in (package_modules(context) or ()) and any(
        facts.requires for facts in context.packages
    ):
        return Skipped(_("a dependency of the packages may contain the class"))
    return max(candidates, key=lambda facts: len(facts.near))


def _skip_remote(context: CheckContext) -> Outcomes:
    if context.has_remote_packages:
        return Skipped(_("packages in Cloud Storage are not inspected"))
    return []


def _install(context: CheckContext, facts: PackageFacts) -> Iterator[Finding]:
    if facts.problem:
        yield error(_PACKAGES, f"{facts.file}: {facts.problem}", facts.fix)
        return
    for read in facts.lacking:
        text = _(
            "the setup of {file} reads {name}, which the package does not contain", file=facts.file, name=read.name
        )
        yield error(
            _PACKAGES, text, _("add a line to MANIFEST.in and rebuild the package: include {name}", name=read.name)
        )
    yield from _check_modules(context, facts)
    python = context.version.pythonVersion
    if python is None:
        return
    if text := _wrong_python(facts, python):
        fix = _("build the package for Python {python}", python=python)
        yield in_cloud(context, _PACKAGES, text, fix)
    for requirement in facts.requires:
        if highest := _too_new(requirement, python):
            text = _(
                "{file} requires {requirement}, which is not available for Python {python}; the newest is {highest}",
                file=facts.file,
                requirement=requirement,
                python=python,
                highest=highest,
            )
            yield in_cloud(context, _PACKAGES, text, f"install_requires=['{highest}']")


def _check_modules(context: CheckContext, facts: PackageFacts) -> Iterator[Finding]:
    """Packages come first on the import path of a local worker; on the service, after the standard library."""
    for name in facts.top_names if not context.target.is_cloud else ():
        if name in _STDLIB_MODULES:
            text = _("{file} has a module {name!r}, which would shadow Python's own", file=facts.file, name=name)
            yield error(_PACKAGES, text, _("rename the module, or move it into a package"))
    for name in facts.startup:
        text = _("{file} contains {name}, which is ignored where packages are installed", file=facts.file, name=name)
        yield advice(_PACKAGES, text, _("move its code into the modules of the package"))


def _wrong_python(facts: PackageFacts, python: str) -> str:
    """Return why the package is not for this Python, or an empty string."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        # Each Python of a runtime has a patch release above 10, so that `>=3.7.1` is satisfied.
        if facts.python_requires and not SpecifierSet(facts.python_requires).contains(f"{python}.12"):
            text = _(
                "{file} requires Python {wanted}; the version has Python {python}",
                file=facts.file,
                wanted=facts.python_requires,
                python=python,
            )
            return text
    except InvalidSpecifier:
        return ""
    if facts.tags is None:
        return ""
    interpreters, abi, platforms = facts.tags.split("-")
    major = python.partition(".")[0]
    matching = {f"cp{python.replace('.', '')}", f"py{python.replace('.', '')}", f"py{major}"}
    if not matching & set(interpreters.split(".")) and abi != "abi3":
        return _(
            "{file} is a wheel for {tags}, not for Python {python}", file=facts.file, tags=interpreters, python=python
        )
    if any(tag == "any" or ("linux" in tag and "x86_64" in tag) for tag in platforms.split(".")):
        return ""
    return _("{file} is a wheel for {tags}; the service runs Linux on x86_64", file=facts.file, tags=platforms)


def _too_new(requirement: str, python: str) -> str:
    """Return `NAME==VERSION` of the newest release for this Python, if the requirement needs a newer one; else ""."""
    from packaging.requirements import InvalidRequirement, Requirement

    row = next((row for row in catalog.max_library_versions() if row.python == python), None)
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return ""
    highest = getattr(row, _COLUMNS.get(parsed.name, parsed.name), None) if row else None
    # A marker may exclude the requirement on that Python.
    if not isinstance(highest, str) or parsed.name not in _KNOWN or parsed.marker:
        return ""
    minimums = [spec.version.removesuffix(".*") for spec in parsed.specifier if spec.operator in _LOWER_BOUNDS]
    too_new = any(catalog.parse_version(version) > catalog.parse_version(highest) for version in minimums)
    return f"{parsed.name}=={highest}" if too_new else ""

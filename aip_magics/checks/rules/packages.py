"""Rules about what is in the packages of custom code: whether they can be installed, and the class of a routine.

Packages in Cloud Storage are not looked into: those rules are skipped for them, the service's own check remains.
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
_PYTHONS_OWN = sys.stdlib_module_names | {"sitecustomize", "usercustomize"}  # Python imports these two by itself
_KNOWN = ("scikit-learn", "xgboost", "tensorflow", "numpy", "pandas")
_COLUMNS = {"scikit-learn": "sklearn"}  # distribution → column of the ceilings, where they differ
ClassCheck: TypeAlias = Callable[[CheckContext, ClassFacts], Outcomes]


@rule("A10", link=links.INSTALL_FAILED)
def installable(context: CheckContext) -> Outcomes:
    """The packages can be installed: whole, with all files that their setup reads, for the runtime's Python.

    Archives are refused that are damaged, have members that lead out of them, devices, links to folders, names that are
    there twice, or that unpack to far more than their size. No module may have the name of one of Python's own.
    """
    found = [finding for facts in context.packages for finding in _install(context, facts)]
    return found or _unseen(context)


@rule("A15", link=links.ROUTINES)
def class_there(context: CheckContext) -> Outcomes:
    """predictionClass is in one of the packages, in a module that their setup installs."""
    facts = _class(context)
    if isinstance(facts, Skipped):
        return facts
    name = context.version.predictionClass or ""
    if not facts.found:
        fix = f"predictionClass: {facts.near[0]}" if facts.near else _("write module.Class as it is in the package")
        return [error(_CLASS, _("{name} is in none of the packages: {why}", name=name, why=facts.why), fix)]
    if facts.installed is not False:
        return []
    module = name.rpartition(".")[0]
    text = _(
        "the setup of the package does not install the module {module}, which has {name}", module=module, name=name
    )
    fix = "packages=find_packages()" if "." in module else f"setup(…, py_modules=[{module!r}])"
    return [error(_CLASS, text, fix)]


def _on_class(check: ClassCheck) -> Callable[[CheckContext], Outcomes]:
    """For rules about the class of a routine: skipped where it is not found (A15 says so) or cannot be followed."""

    def checked(context: CheckContext) -> Outcomes:
        facts = _class(context)
        if isinstance(facts, Skipped):
            return facts
        if not facts.found:
            return Skipped(_("the class was not found"))
        return check(context, facts)

    checked.__doc__ = check.__doc__
    return checked


@rule("A16", link=links.ROUTINES)
@_on_class
def class_interface(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """The class of a custom prediction routine has `from_path(model_dir)`, a class method, and `predict`."""
    name, found = context.version.predictionClass or "", []
    missing = [member for member in ("from_path", "predict") if not getattr(facts, member)]
    if missing and not facts.certain:
        return Skipped(facts.why)
    for member in missing:
        fix = _FROM_PATH if member == "from_path" else _PREDICT
        found.append(error(_CLASS, _("{name} has no method {member}", name=name, member=member), fix))
    if facts.from_path_takes_dir is False:
        text = _("{name}.from_path cannot be called with the model directory alone", name=name)
        found.append(error(_CLASS, text, _FROM_PATH))
    return found


@rule("A17", link=links.ROUTINES)
@_on_class
def predict_signature(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """`predict` has just the positional parameters self and instances; others are refused, even with defaults."""
    args = facts.predict_args
    if args is None:
        return Skipped(facts.why) if facts.predict else []
    if len(args) == 2:
        return []
    text = _(
        "{name}.predict takes ({args}); the service wants self and instances only",
        name=context.version.predictionClass,
        args=", ".join(args),
    )
    return [error(_CLASS, text, _("{line} and read the rest from kwargs", line=_PREDICT))]


@rule("R02", link=links.NO_STATS)
@_on_class
def predict_takes_stats(context: CheckContext, facts: ClassFacts) -> Outcomes:
    """`predict` takes `**kwargs`: the service always passes `stats=`, and every further key of a request."""
    if facts.has_kwargs or facts.predict_args is None or len(facts.predict_args) != 2:
        return []  # A17 says what else is wrong with it
    if "stats" in facts.keyword_only:
        return []
    text = _("{name}.predict takes no **kwargs: the service calls it with stats=", name=context.version.predictionClass)
    return [error(_CLASS, text, _PREDICT)]


def _class(context: CheckContext) -> ClassFacts | Skipped:
    """What the packages say about the class, the best of them."""
    name = context.version.predictionClass
    if name is None:
        return Skipped(_("there is no predictionClass"))
    told = [facts.class_facts(name) for facts in context.packages if not facts.problem]
    if there := next((facts for facts in told if facts.found), None):
        return there
    if isinstance(unseen := _unseen(context), Skipped):
        return unseen
    if not told:
        return Skipped(_("there is no package to look into"))
    if unsure := next((facts for facts in told if not facts.certain), None):
        return Skipped(unsure.why)
    if name.partition(".")[0] not in (package_modules(context) or ()) and any(one.requires for one in context.packages):
        return Skipped(_("a requirement of the packages may have it"))
    return max(told, key=lambda facts: len(facts.near))


def _unseen(context: CheckContext) -> Outcomes:
    if any(uri.startswith("gs://") for uri in context.version.packageUris or ()):
        return Skipped(_("a package lies in Cloud Storage and is not looked into"))
    return []


def _install(context: CheckContext, facts: PackageFacts) -> Iterator[Finding]:
    if facts.problem:
        yield error(_PACKAGES, f"{facts.file}: {facts.problem}", facts.fix)
        return
    for read in facts.lacking:
        text = _("the setup of {file} reads {name}, which is not in it", file=facts.file, name=read.name)
        yield error(
            _PACKAGES, text, _("add the line to MANIFEST.in and build it again: include {name}", name=read.name)
        )
    yield from _place_in_python(context, facts)
    python = context.version.pythonVersion
    if python is None:
        return
    if reason := _wrong_python(facts, python):
        fix = _("build it for Python {python}", python=python)
        yield in_cloud(context, _PACKAGES, f"{facts.file}: {reason}", fix)
    for requirement in facts.requires:
        if highest := _too_new(requirement, python):
            text = _(
                "{file} requires {requirement}, which Python {python} cannot have: the highest is {highest}",
                file=facts.file,
                requirement=requirement,
                python=python,
                highest=highest,
            )
            yield in_cloud(context, _PACKAGES, text, f"install_requires=['{highest}']")


def _place_in_python(context: CheckContext, facts: PackageFacts) -> Iterator[Finding]:
    """Packages come first on the path of a worker here; on the service they come after the standard library."""
    for name in facts.top_names if not context.target.is_cloud else ():
        if name in _PYTHONS_OWN:
            text = _("its module {name!r} would take the place of Python's own", name=name)
            fix = _("give the module another name, or put it into a package of yours")
            yield error(_PACKAGES, f"{facts.file}: {text}", fix)
    for name in facts.startup:
        text = _("{file} has {name}, which is not read where packages are installed", file=facts.file, name=name)
        yield advice(_PACKAGES, text, _("do in the package's own modules what it is there for"))


def _wrong_python(facts: PackageFacts, python: str) -> str:
    """Why the package is not for this Python, or an empty string."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        # The last patch release of each Python that a runtime has is above 10: `>=3.7.1` is no reason to refuse.
        if facts.python_requires and not SpecifierSet(facts.python_requires).contains(f"{python}.12"):
            return _("it takes Python {wanted}, not {python}", wanted=facts.python_requires, python=python)
    except InvalidSpecifier:
        return ""
    if facts.tags is None:
        return ""
    interpreters, abi, platforms = facts.tags.split("-")
    major = python.partition(".")[0]
    fitting = {f"cp{python.replace('.', '')}", f"py{python.replace('.', '')}", f"py{major}"}
    if not fitting & set(interpreters.split(".")) and abi != "abi3":
        return _("it is a wheel for {tags}, not for Python {python}", tags=interpreters, python=python)
    if any(one == "any" or ("linux" in one and "x86_64" in one) for one in platforms.split(".")):
        return ""
    return _("it is a wheel for {tags}; the service runs Linux on x86_64", tags=platforms)


def _too_new(requirement: str, python: str) -> str:
    """`NAME==VERSION` of the highest release that this Python can have, where the requirement wants a newer one."""
    from packaging.requirements import InvalidRequirement, Requirement

    row = next((row for row in catalog.max_library_versions() if row.python == python), None)
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return ""
    highest = getattr(row, _COLUMNS.get(wanted.name, wanted.name), None) if row else None
    # A marker may rule the requirement out on that Python.
    if not isinstance(highest, str) or wanted.name not in _KNOWN or wanted.marker:
        return ""
    least = [spec.version.removesuffix(".*") for spec in wanted.specifier if spec.operator in _LOWER_BOUNDS]
    too_new = any(catalog.parse_version(version) > catalog.parse_version(highest) for version in least)
    return f"{wanted.name}=={highest}" if too_new else ""

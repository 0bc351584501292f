"""Rules about what a pickled model names: classes of a notebook, modules that the runtime does not have."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Container, Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import PickleFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, package_modules, requires_pickle
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, in_cloud, rule, warning
from aip_magics.checks.rules.libraries import newer_libraries
from aip_magics.i18n import gettext as _

_SHOWN = 5


@rule("X01", link=links.PICKLE)
@requires_pickle
def of_a_notebook(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The model names no class or function that was defined in a notebook or script (`__main__`).

    A pickle holds names, not code: the process that serves the model has another `__main__` and cannot find them.
    """
    if not facts.main_names:
        return []
    names = _some(facts.main_names)
    text = _("the model names {names} of a notebook (__main__), which no other process has", names=names)
    fix = _(
        "move {names} into my_module.py, import it from there, save the model again; "
        "%aip_package my_module.py makes the package for --package-uris",
        names=names,
    )
    # The user's own code loads the files of a routine: it may put the class where the pickle looks for it.
    level = warning if context.is_custom else error
    return [level(get_model_file(directory), text, fix)]


@rule("V10", link=links.NO_MODULE)
@requires_pickle
def modules_there(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The modules that loading the model imports are in the runtime or in a package of packageUris.

    Google's list of what a runtime has is no longer public, so this only warns. Where no runtime is named, a module has
    to be in one of them at least; on the local target it counts what is installed for this Python, which serves the
    model. The directory of the notebook is not looked at: a worker does not import from there.
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    possible = (runtime,) if runtime else catalog.runtimes()
    own = package_modules(context)
    known = {"__main__", *(own or ())}
    absent = [name for name in facts.modules if name not in known]
    absent = [name for name in absent if not any(catalog.runtime_has(name, one) for one in possible)]
    if not absent:
        return []
    if own is None or any(package.requires for package in context.packages):
        return Skipped(_("the packages, or what they require, may have {names}", names=_some(absent)))
    return [_absent(context, directory, absent, runtime)]


def _absent(context: CheckContext, directory: ModelDir, names: list[str], runtime: catalog.Runtime | None) -> Finding:
    fix = _("give the package that has it: --package-uris dist/NAME.tar.gz (%aip_package makes one)")
    # A file made to hurt names a million modules: no more are looked for than are shown.
    file, not_here = get_model_file(directory), list(itertools.islice(_not_installed(names), _SHOWN + 1))
    if not_here and not context.target.is_cloud:
        text = _(
            "loading the model imports {names}, which is neither in a package of packageUris nor installed for this "
            "Python",
            names=_some(not_here),
        )
        return warning(file, text, fix)
    if runtime is None:
        text = _("loading the model imports {names}, which no runtime is known to have", names=_some(names))
    else:
        text = _(
            "loading the model imports {names}, which runtime {version} is not known to have",
            names=_some(names),
            version=runtime.version,
        )
    return in_cloud(context, file, text, fix, "warning")


def _not_installed(names: Iterable[str]) -> Iterator[str]:
    """The modules that a worker of this Python cannot import. Nothing is imported for that."""
    here = Path.cwd()  # a kernel and `python -m` import from it, a worker does not
    elsewhere = [path for path in sys.path if path and Path(path).absolute() != here]
    distributed: Container[str] | None = None
    for name in names:
        if PathFinder.find_spec(name, elsewhere) is None:
            if distributed is None:  # reads the files of all distributions: once
                distributed = packages_distributions()
            # What is installed as editable may be found by its distribution only.
            if name not in distributed:
                yield name


@rule("A03", link=links.MOVED_MODULE)
@requires_pickle
def moved_modules(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The modules of scikit-learn and NumPy that the model names are in those of the runtime: some moved or came later.

    Where the library's version in the model says it already, only that is told (A02).
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime is None:
        return Skipped(_("no runtime version is named"))
    if newer_libraries(context, directory):
        return []
    modules = dict.fromkeys(one.module for one in facts.globals)
    gone = [found for found in (catalog.module_gone(module, runtime) for module in modules) if found]
    if not gone:
        return []
    return [_gone(context, directory, gone[0], runtime)]


@rule("D08", link=links.EXPORTING)
@requires_pickle
def joblib_as_pkl(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """A file of joblib, with its arrays or compression, is called model.joblib: pickle reads model.pkl, and fails."""
    file = directory.model_file
    packed = directory.contents is not None and directory.contents.compression is not None
    if context.is_custom or file is None or not file.name.endswith(".pkl"):
        return []
    if not packed and not any(one.name == "NumpyArrayWrapper" for one in facts.globals):
        return []
    text = _("{file} was written by joblib; under this name pickle reads it, and fails", file=file.name)
    old, new = (shlex.quote(str(directory.path / name)) for name in (file.name, "model.joblib"))
    return [error(file.name, text, f"mv {old} {new}")]


def _gone(context: CheckContext, directory: ModelDir, gone: catalog.ModuleGone, runtime: catalog.Runtime) -> Finding:
    text = _(
        "the model names the module {module}, which {library} {version} of runtime {runtime} does not have",
        module=gone.module,
        library=gone.library,
        version=gone.library_version,
        runtime=runtime.version,
    )
    fix = _("train and save it with {library} {version}", library=gone.library, version=gone.library_version)
    fit = catalog.match_runtime_to_all(context.framework or "", directory.libraries)
    if directory.libraries and fit.runtime not in (None, runtime.version):
        fix = f"runtimeVersion: '{fit.runtime}' ({fit.reason})"
    return in_cloud(
        context, get_model_file(directory), text, fix, "error" if gone.certainty == "certain" else "warning"
    )


def _some(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} …"

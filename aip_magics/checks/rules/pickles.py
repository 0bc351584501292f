"""Rules about the names in a pickled model: classes of a notebook, modules that the runtime does not have."""

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
from aip_magics.artifacts.facts import Global, PickleFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, package_modules, requires_pickle
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, in_cloud, rule, warning
from aip_magics.checks.rules.estimators import dump_line
from aip_magics.checks.rules.libraries import newer_libraries
from aip_magics.i18n import gettext as _

_MAX_SHOWN = 5
_DILL_MAIN = Global("__builtin__", "__main__")  # dill's name for the variables of a notebook


@rule("X01", "defined-in-notebook", link=links.PICKLE)
@requires_pickle
def defined_in_notebook(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The model must not reference a class or function that was defined in a notebook or script (`__main__`).

    A pickle contains names, not code: the process that serves the model has another `__main__` without these names.
    """
    if not facts.main_names:
        return []
    names = _join_names(facts.main_names)
    text = _(
        "the model references {names} defined in the notebook (__main__), which other processes cannot import",
        names=names,
    )
    fix = _(
        "move {names} into my_module.py, import it from there and save the model again; build the "
        "package for --package-uris with %aip_package my_module.py",
        names=names,
    )
    # A routine loads its files with the user's own code, which may define the class in `__main__`.
    level = warning if context.is_custom else error
    return [level(get_model_file(directory), text, fix)]


@rule("X02", "saved-with-dill", link=links.PICKLE)
@requires_pickle
def saved_with_dill(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The model must be saved with joblib or pickle: dill writes what only dill reads, or what needs dill to be read.

    A function of a notebook refers to the notebook's variables in a way that pickle.load and joblib.load cannot follow.
    """
    if context.is_custom or "dill" not in facts.modules:
        return []
    file = get_model_file(directory)
    fix = _(
        "move the functions and classes of the model into my_module.py, import them from there and save the model "
        "again: {line}; build the package for --package-uris with %aip_package my_module.py",
        line=dump_line(directory),
    )
    if _DILL_MAIN in facts.globals:
        text = _("{file} was saved with dill, and only dill can load it; the service uses pickle and joblib", file=file)
        return [error(file, text, fix)]
    if not context.target.is_cloud and not list(_not_installed(["dill"])):
        return []
    return [warning(file, _("{file} was saved with dill, which is not installed where it is loaded", file=file), fix)]


@rule("V10", "missing-module", link=links.NO_MODULE)
@requires_pickle
def missing_module(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The modules that loading the model imports must be in the runtime or in a package of packageUris.

    Google's list of the modules of a runtime is no longer public, so this is only a warning. If no runtime is set, a
    module must be in at least one of them; on the local target, it must be installed for this Python, which serves the
    model. The directory of the notebook does not count: a worker does not import from it.
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    possible = (runtime,) if runtime else catalog.runtimes()
    packaged = package_modules(context)
    known = {"__main__", *(packaged or ())}
    if "dill" in facts.modules and not context.is_custom:
        known |= {"dill", _DILL_MAIN.module}  # X02 reports it
    missing = [name for name in facts.modules if name not in known]
    missing = [name for name in missing if not any(catalog.runtime_has(name, one) for one in possible)]
    if not missing:
        return []
    if packaged is None or any(package.requires for package in context.packages):
        return Skipped(_("the packages or their dependencies may contain {names}", names=_join_names(missing)))
    return [_build_missing_finding(context, directory, missing, runtime)]


def _build_missing_finding(
    context: CheckContext, directory: ModelDir, names: list[str], runtime: catalog.Runtime | None
) -> Finding:
    fix = _("add the package that contains the module: --package-uris dist/NAME.tar.gz (build it with %aip_package)")
    # A malicious file may name a million modules: only as many are searched as are shown.
    file = get_model_file(directory)
    not_installed = list(itertools.islice(_not_installed(names), _MAX_SHOWN + 1))
    if not_installed and not context.target.is_cloud:
        text = _(
            "loading the model imports {names}, which is neither in a package of packageUris nor installed for this "
            "Python",
            names=_join_names(not_installed),
        )
        return warning(file, text, fix)
    if runtime is None:
        text = _("loading the model imports {names}, which is not known to be in any runtime", names=_join_names(names))
    else:
        text = _(
            "loading the model imports {names}, which is not known to be in runtime {version}",
            names=_join_names(names),
            version=runtime.version,
        )
    return in_cloud(context, file, text, fix, "warning")


def _not_installed(names: Iterable[str]) -> Iterator[str]:
    """Yield the modules that a worker of this Python cannot import, without importing any."""
    current = Path.cwd()  # a kernel and `python -m` import from it, a worker does not
    search_path = [path for path in sys.path if path and Path(path).absolute() != current]
    distributed: Container[str] | None = None
    for name in names:
        if PathFinder.find_spec(name, search_path) is None:
            if distributed is None:  # reads the files of all distributions, so only once
                distributed = packages_distributions()
            # A module that is installed as editable may be found only by its distribution.
            if name not in distributed:
                yield name


@rule("A03", "moved-module", link=links.MOVED_MODULE)
@requires_pickle
def moved_module(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The modules of scikit-learn and NumPy in the model must be in the runtime's; some were moved or added later.

    If the library version in the model is already too new, only A02 reports it.
    """
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime is None:
        return Skipped(_("no runtime version is set"))
    if newer_libraries(context, directory):
        return []
    modules = dict.fromkeys(one.module for one in facts.globals)
    gone = [found for found in (catalog.module_gone(module, runtime) for module in modules) if found]
    if not gone:
        return []
    return [_gone(context, directory, gone[0], runtime)]


@rule("D08", "joblib-file-as-pickle", link=links.EXPORTING)
@requires_pickle
def joblib_file_as_pickle(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """A file of joblib, with its arrays or compression, must be named model.joblib: pickle cannot read it."""
    file = directory.model_file
    compressed = directory.contents is not None and directory.contents.compression is not None
    if context.is_custom or file is None or not file.name.endswith(".pkl"):
        return []
    if not compressed and not any(one.name == "NumpyArrayWrapper" for one in facts.globals):
        return []
    text = _("{file} was written by joblib, but under this name it is read by pickle, which fails", file=file.name)
    old, new = (shlex.quote(str(directory.path / name)) for name in (file.name, "model.joblib"))
    return [error(file.name, text, f"mv {old} {new}")]


def _gone(context: CheckContext, directory: ModelDir, gone: catalog.ModuleGone, runtime: catalog.Runtime) -> Finding:
    text = _(
        "the model references module {module}, which {library} {version} of runtime {runtime} does not have",
        module=gone.module,
        library=gone.library,
        version=gone.library_version,
        runtime=runtime.version,
    )
    fix = _("train and save the model with {library} {version}", library=gone.library, version=gone.library_version)
    fit = catalog.match_runtime_to_all(context.framework or "", directory.libraries)
    if directory.libraries and fit.runtime not in (None, runtime.version):
        fix = f"runtimeVersion: '{fit.runtime}' ({fit.reason})"
    return in_cloud(
        context, get_model_file(directory), text, fix, "error" if gone.certainty == "certain" else "warning"
    )


def _join_names(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:_MAX_SHOWN])
    return shown if len(names) <= _MAX_SHOWN else f"{shown} …"

"""Trust in unpickling: every class and function that a pickle names must be listed, in a package, or trusted."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics import catalog
from aip_magics.artifacts import File, ModelDir, model_file, pickles
from aip_magics.artifacts import pickle_globals as pickled
from aip_magics.artifacts.facts import Global
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule
from aip_magics.checks.trust import MAX_SHOWN, TrustQuestion, UntrustedFile, find_untrusted, register
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker_responses import trust_fix
from aip_magics.trust import Trust
from aip_magics.wording import join_names

_HEAD = 4096  # bytes that tell a format
_PICKLES = frozenset({"model.joblib", "model.pkl"})
_JOBLIB_SUFFIXES = frozenset({".joblib", ".jbl"})
_PICKLE_SUFFIXES = _JOBLIB_SUFFIXES | {".pkl", ".pickle"}  # that a routine may load
_CALLED = frozenset({"call", "pure"})
_MADE = frozenset({"new", "distribution"})
_KEPT = frozenset({"value", "method"})


def _files(context: CheckContext) -> Iterator[File]:
    """Yield the files that the worker unpickles; a routine may load any file of the directory."""
    if context.model_dir is None or context.version.container is not None:
        return
    for file in context.model_dir.files:
        if file.name in _PICKLES or context.version.predictionClass is not None:
            yield file


def _inspect(context: CheckContext, file: File) -> UntrustedFile | None:
    if file.name not in _PICKLES and PurePosixPath(file.name).suffix not in _PICKLE_SUFFIXES:
        return None
    trust = _with_packages(context)
    globals_read = pickled.read(file.path)
    if not globals_read.found and not globals_read.complete and _is_no_pickle(context, file):
        return None
    by_joblib = PurePosixPath(file.name).suffix in _JOBLIB_SUFFIXES
    names = tuple(str(one) for one in globals_read.found if not _is_allowed(one, globals_read, trust, by_joblib))
    # The worker checks the rest of a file that is only too large to inspect.
    complete = globals_read.complete or globals_read.bounded
    return UntrustedFile(file, names, complete) if names or not complete else None


def _is_no_pickle(context: CheckContext, file: File) -> bool:
    """Whether a file is of another format, so that the worker that unpickles it ends at its first bytes."""
    directory = context.model_dir
    is_model = directory is not None and file == directory.model_file
    contents = directory.contents if directory and is_model else model_file.read(file.path)
    if contents is None or contents.format in ("pickle", "joblib-0.9") or _begins_with_persistent_id(file):
        return False
    return contents.format != "unknown" or contents.complete


def _begins_with_persistent_id(file: File) -> bool:
    """Whether a file begins with the instruction that needs no mark and names an object outside of the pickle."""
    with file.path.open("rb") as opened:
        head = opened.read(_HEAD)
    names = [name for name, _argument in itertools.islice(pickles.opcodes(head), 2)]
    return len(names) == 2 and names[0] == "PERSID"


UNPICKLING = register(TrustQuestion("U01", of_model=True, files=_files, inspect=_inspect))


@rule(UNPICKLING.id, "untrusted-pickle", link=links.UNPICKLING)
@on_directory
def untrusted_pickle(context: CheckContext, _directory: ModelDir) -> Outcomes:
    """Unpickling the model must run only listed code, the code of your packages, and code trusted with --trust.

    The rule inspects model.joblib and model.pkl, and every pickle of a custom prediction routine. It reports classes
    and functions that are neither listed (catalog/pickle_globals.json) nor in a package of packageUris; the model is
    not loaded without --trust, which is needed once per content of the file. The consent is stored in trusted.json of
    the data directory, whose `modules` may list whole modules to trust. A model that is deployed as $variable is
    trusted: it comes from the notebook. A file must be read completely. The worker that loads the model enforces the
    same list.
    """
    found = find_untrusted(UNPICKLING, context, _build_finding)
    if found and context.has_remote_packages:
        return Skipped(_("a package in Cloud Storage is inspected only after its download"))
    return found


def get_modes(one: Global) -> frozenset[str]:
    """Return what the list allows a pickle to do with a class or function."""
    return catalog.pickle_globals.modes(*one.python3_name)


def _with_packages(context: CheckContext) -> Trust:
    """Return the trust, extended by the modules of the packages: their code is provided to be run."""
    trust = context.trust or Trust()
    # Modules of Python are not a package's own: a file os.py in a package does not make os.system its code.
    own = {name for facts in context.packages for name in facts.top_names if name not in sys.stdlib_module_names}
    return dataclasses.replace(trust, modules=trust.modules | own)


def _is_allowed(one: Global, found: pickled.PickleGlobals, trust: Trust, by_joblib: bool) -> bool:
    if one.module == "__main__":
        # The worker's `__main__` is empty, so that the name is not found, which X01 reports. A path through the
        # attributes that every module has is not allowed.
        return one.name.isidentifier() and not one.name.startswith("__")
    if one.name == "NumpyArrayWrapper" and not by_joblib:
        # Only joblib skips the bytes of an array. Another reader would run instructions that were not inspected.
        return False
    if trust.has(one.module):
        return True
    modes = get_modes(one)
    if not modes or (one in found.called and not modes & _CALLED) or (one in found.made and not modes & _MADE):
        return False
    # `copyreg._reconstructor(Class, object, None)` creates an instance; another function might call the class.
    receivers = [receiver for passed, receiver in found.passed if passed == one]
    return not modes.isdisjoint(_KEPT) or all(
        receiver and catalog.pickle_globals.rebuilds(*receiver.python3_name) for receiver in receivers
    )


def _build_finding(untrusted: UntrustedFile) -> Finding:
    text = _(
        "loading {file} would import and may run {names}",
        file=untrusted.file.name,
        names=join_names(untrusted.names, MAX_SHOWN),
    )
    return error(untrusted.file.name, text, _build_fix(untrusted))


def _build_fix(untrusted: UntrustedFile) -> str:
    if any(name.endswith(".NDArrayWrapper") for name in untrusted.names):
        return _(
            "save the model again with joblib.dump: joblib before 0.10 saved it; or, if you trust the source of "
            "this file, add --trust (remembered for this file content)"
        )
    if all(catalog.pickle_globals.is_library(name) for name in untrusted.names):
        return trust_fix()  # no package can contain the code of a library
    return _(
        "add the package that contains this code (--package-uris FILE); or, if you trust the source of "
        "this file, add --trust (remembered for this file content)"
    )

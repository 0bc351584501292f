"""What unpickling a model would run: every class and function it names is listed, in a package, or asked about."""

from __future__ import annotations

import _compat_pickle
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics import catalog
from aip_magics.artifacts import File, ModelDir
from aip_magics.artifacts import pickle_globals as pickled
from aip_magics.artifacts.facts import Global
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule
from aip_magics.checks.trust import TrustQuestion, UntrustedFile, answers, listed, question
from aip_magics.i18n import gettext as _
from aip_magics.trust import Trust

_PICKLES = frozenset({"model.joblib", "model.pkl"})
_JOBLIB_SUFFIXES = frozenset({".joblib", ".jbl"})
_PICKLE_SUFFIXES = _JOBLIB_SUFFIXES | {".pkl", ".pickle"}  # what a routine may load by itself
_NO_PICKLE = frozenset({"git-lfs-pointer", "html", "empty"})  # no first byte of these is an instruction of a pickle


def _files(context: CheckContext) -> Iterator[File]:
    """What the worker unpickles; of a routine any file of the directory may be."""
    if context.model_dir is None or context.version.container is not None:
        return
    for file in context.model_dir.files:
        if file.name in _PICKLES or context.version.predictionClass is not None:
            yield file


def _look(context: CheckContext, file: File) -> UntrustedFile | None:
    if file.name not in _PICKLES and PurePosixPath(file.name).suffix not in _PICKLE_SUFFIXES:
        return None
    directory = context.model_dir
    is_model = directory is not None and file == directory.model_file
    if is_model and directory and directory.contents and directory.contents.format in _NO_PICKLE:
        return None
    trust = _with_packages(context)
    found = pickled.read(file.path)
    by_joblib = PurePosixPath(file.name).suffix in _JOBLIB_SUFFIXES
    names = tuple(str(one) for one in found.found if not _is_fine(one, found, trust, by_joblib))
    # Of what is only too large to be looked at the worker sees to the rest.
    complete = found.complete or found.bounded
    return UntrustedFile(file, names, complete) if names or not complete else None


UNPICKLING = question(TrustQuestion("U01", of_model=True, files=_files, look=_look))


@rule(UNPICKLING.id, link=links.UNPICKLING)
@on_directory
def code_that_unpickling_runs(context: CheckContext, _directory: ModelDir) -> Outcomes:
    """Unpickling the model runs nothing but what is listed, your own packages, and what you trusted with --trust.

    Looked at are model.joblib and model.pkl, and every pickle beside a custom prediction routine. A class or function
    that is neither listed (catalog/pickle_globals.json) nor in a package of packageUris is named; the model is not
    loaded until --trust is given, once for each content of the file. It is remembered in trusted.json of the data
    directory, whose `modules` may name whole modules to trust. A model given as $variable is trusted: it comes from
    this very notebook. What was read of a file must be all of it. The worker that loads it holds to the same list.
    """
    found = answers(UNPICKLING, context, _finding)
    if found and any(uri.startswith("gs://") for uri in context.version.packageUris or ()):
        return Skipped(_("a package lies in Cloud Storage: what it has is seen when it is downloaded"))
    return found


def modes_of(one: Global) -> frozenset[str]:
    """What the list allows to do with a class or function."""
    return catalog.pickle_globals.modes(*modern(one))


def modern(one: Global) -> tuple[str, str]:
    """The name in Python 3 of what a pickle of protocol 0 to 2 names."""
    module, name = _compat_pickle.NAME_MAPPING.get((one.module, one.name), (one.module, one.name))
    if (module, name) == (one.module, one.name):
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    return module, name


def _with_packages(context: CheckContext) -> Trust:
    """What is trusted, and the packages that were given: their code is there to be run."""
    trust = context.trust or Trust()
    # What Python has itself is not a package's: a file os.py in it does not make os.system its code.
    own = {name for facts in context.packages for name in facts.top_names if name not in sys.stdlib_module_names}
    return dataclasses.replace(trust, modules=trust.modules | own)


def _is_fine(one: Global, found: pickled.PickleGlobals, trust: Trust, by_joblib: bool) -> bool:
    if one.module == "__main__":
        # The worker's `__main__` is empty: the name is not found, which a rule of its own tells. A way through the
        # attributes that every module has is another thing.
        return one.name.isidentifier() and not one.name.startswith("__")
    if one.name == "NumpyArrayWrapper" and not by_joblib:
        # Only joblib passes over the bytes of an array. Whoever else reads on there meets instructions nobody saw.
        return False
    if trust.has(one.module):
        return True
    modes = modes_of(one)
    if not modes or (one in found.called and "call" not in modes) or (one in found.made and "new" not in modes):
        return False
    # `copyreg._reconstructor(Class, object, None)` makes an instance; who else is handed a class might call it.
    takers = [taker for given, taker in found.passed if given == one]
    return "value" in modes or all(taker and catalog.pickle_globals.rebuilds(*modern(taker)) for taker in takers)


def _finding(one: UntrustedFile) -> Finding:
    fix = _(
        "give the package that has this code (--package-uris FILE); or, if you trust whoever made this file, "
        "add --trust once: it holds for this content"
    )
    text = _("loading {file} would import and may run {names}", file=one.file.name, names=listed(one.names))
    return error(one.file.name, text, fix)

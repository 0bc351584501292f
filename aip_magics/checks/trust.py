"""What loading a model would run, against what may run without asking.

A pickle calls whatever it names, and a TensorFlow model brings libraries of its own: a model file is a program. What is
on the allow-list (`allowed.toml`) or in the user's own packages is taken as known; for anything else the user is asked
once per content, with `--trust`. That is advice and consent, not a promise: nothing but a sandbox is one.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import re
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import PurePosixPath

from aip_magics.artifacts import File, ModelDir
from aip_magics.artifacts import globals as pickled
from aip_magics.artifacts.facts import Global
from aip_magics.checks import links
from aip_magics.checks.base import Finding, Outcomes, Skipped, Subject, error, on_directory, rule
from aip_magics.language import say

TRUST = "U01"
_PICKLES = frozenset({"model.joblib", "model.pkl"})
_JOBLIB_SUFFIXES = frozenset({".joblib", ".jbl"})
_PICKLE_SUFFIXES = _JOBLIB_SUFFIXES | {".pkl", ".pickle"}  # what a routine may load by itself
_NO_PICKLE = frozenset({"git-lfs-pointer", "html", "empty"})  # no first byte of these is an instruction of a pickle
_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class Trust:
    """What may run on load besides the allow-list: all of these modules, all that files of these contents do.

    `modules` are dotted names, each with what is below it; `files` are sha256 digests in hexadecimal.
    """

    modules: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def has(self, module: str) -> bool:
        """Whether all of this module is trusted."""
        parts = module.split(".")
        return any(".".join(parts[: count + 1]) in self.modules for count in range(len(parts)))


@dataclasses.dataclass(frozen=True)
class Stranger:
    """A file whose loading would run what is not known: `names` of classes and functions, or the file itself.

    `complete` is False where it was not read to its end: then there may be more.
    """

    file: File
    names: tuple[str, ...]
    complete: bool = True


def strangers(subject: Subject, directory: ModelDir) -> Iterator[Stranger]:
    """The files of a model directory whose loading would run more than is known."""
    trust = _with_packages(subject)
    for file in directory.files:
        if _is_library(subject, file):
            yield Stranger(file, (file.name,))
        elif _is_pickle(subject, file) and (found := _in_pickle(directory, file, trust)):
            yield found


def digest(file: File) -> str:
    """sha256 of a file's content, in hexadecimal."""
    found = hashlib.sha256()
    with file.path.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def is_known(one: Global) -> bool:
    """Whether the allow-list has this class or function."""
    names, patterns = _allowed()
    return f"{one.module}:{one.name}" in names or any(
        module.fullmatch(one.module) and name.fullmatch(one.name) for module, name in patterns
    )


@rule(TRUST, link=links.UNPICKLING)
@on_directory
def code_that_loading_runs(subject: Subject, directory: ModelDir) -> Outcomes:
    """Loading the model runs nothing but known libraries, your own packages, and what you trusted with --trust.

    Looked at are model.joblib and model.pkl, every pickle beside a custom prediction routine, and the libraries in
    assets.extra/ of a TensorFlow model. A class or function that is neither on the list of known ones nor in a package
    of packageUris is named; the model is not loaded here until --trust is given, once for each content of the file. It
    is remembered in trusted.json of the data directory, whose `modules` may name whole modules to trust. A model given
    as $variable is trusted: it comes from this very notebook. What was read of a file must be all of it.
    """
    if subject.version.container is not None:
        return []
    trusted = (subject.trust or Trust()).files
    found = [one for one in strangers(subject, directory) if digest(one.file) not in trusted]
    if found and any(uri.startswith("gs://") for uri in subject.version.packageUris or ()):
        return Skipped(say("a package lies in Cloud Storage: what it has is seen when it is downloaded"))
    return [_finding(one) for one in found]


def _with_packages(subject: Subject) -> Trust:
    """What is trusted, and the packages that were given: their code is there to be run."""
    trust = subject.trust or Trust()
    # What Python has itself is not a package's: a file os.py in it does not make os.system its code.
    own = {name for facts in subject.packages for name in facts.top_names if name not in sys.stdlib_module_names}
    return dataclasses.replace(trust, modules=trust.modules | own)


def _is_library(subject: Subject, file: File) -> bool:
    """Whether TensorFlow's worker loads this file as a library of further operations."""
    path = PurePosixPath(file.name)
    return subject.framework == "TENSORFLOW" and str(path.parent) == "assets.extra" and path.suffix == ".so"


def _is_pickle(subject: Subject, file: File) -> bool:
    if file.name in _PICKLES:
        return True
    return subject.version.predictionClass is not None and PurePosixPath(file.name).suffix in _PICKLE_SUFFIXES


def _in_pickle(directory: ModelDir, file: File, trust: Trust) -> Stranger | None:
    if file == directory.model_file and directory.contents and directory.contents.format in _NO_PICKLE:
        return None
    found = pickled.read(file.path)
    by_joblib = PurePosixPath(file.name).suffix in _JOBLIB_SUFFIXES
    names = tuple(str(one) for one in found.found if not _is_fine(one, trust, by_joblib))
    return Stranger(file, names, found.complete) if names or not found.complete else None


def _is_fine(one: Global, trust: Trust, by_joblib: bool) -> bool:
    if one.module == "__main__":
        # The worker's `__main__` is empty: the name is not found, which a rule of its own tells. A way through the
        # attributes that every module has is another thing.
        return one.name.isidentifier() and not one.name.startswith("__")
    if one.name == "NumpyArrayWrapper" and not by_joblib:
        # Only joblib passes over the bytes of an array. Whoever else reads on there meets instructions nobody saw.
        return False
    return trust.has(one.module) or is_known(one)


def _finding(one: Stranger) -> Finding:
    fix = say("if you made this file, or trust whoever did, add --trust once: it holds for this content")
    file = one.file.name
    if not one.names:
        text = say("{file} cannot be read to its end: what loading it would run is not known", file=file)
        return error(file, text, fix)
    if one.names == (file,):
        return error(file, say("{file} is a library that loading the model would run", file=file), fix)
    shown = ", ".join(one.names[:_SHOWN])
    more = len(one.names) - _SHOWN
    if more > 0:
        shown = say("{names} and {count} more", names=shown, count=more)
    fix = say(
        "give the package that has this code (--package-uris FILE); or, if you trust whoever made this file, "
        "add --trust once: it holds for this content"
    )
    return error(file, say("loading {file} would import and may run {names}", file=file, names=shown), fix)


@functools.cache
def _allowed() -> tuple[frozenset[str], tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]]:
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    table = parser.loads(resources.files(__package__).joinpath("allowed.toml").read_text(encoding="utf-8"))
    patterns = tuple(
        (re.compile(row["module"]), re.compile(row.get("name") or "|".join(row["names"]))) for row in table["pattern"]
    )
    return frozenset(table["names"]), patterns

"""What a TensorFlow model would run: operations that reach beyond their tensors, and libraries of its own."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics import catalog
from aip_magics.artifacts import File, ModelDir, saved_models
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes
from aip_magics.checks.rule import error, on_directory, rule
from aip_magics.checks.trust import TrustQuestion, UntrustedFile, answers, listed, question
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker import graph_walk
from aip_magics.prediction.worker_responses import trust_fix

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_READ_BY_LOADING = ("variables/", "assets/")
_NO_GRAPH = frozenset({"git-lfs-pointer", "html", "empty"})  # TensorFlow does not read these as a graph either


def _files(context: CheckContext) -> Iterator[File]:
    if context.model_dir is None or context.framework != "TENSORFLOW" or context.version.container is not None:
        return
    for file in context.model_dir.files:
        path = PurePosixPath(file.name)
        leads_out = file.link and file.name.startswith(_READ_BY_LOADING) and _leads_out(context.model_dir, file)
        if file.name in _GRAPHS or _is_library(path) or leads_out:
            yield file


def _is_library(path: PurePosixPath) -> bool:
    return str(path.parent) == "assets.extra" and path.suffix == ".so"


def _leads_out(directory: ModelDir, file: File) -> bool:
    return not os.path.realpath(file.path).startswith(os.path.join(os.path.realpath(directory.path), ""))


def _look(context: CheckContext, file: File) -> UntrustedFile | None:
    if file.name not in _GRAPHS:
        return UntrustedFile(file, (file.name,))
    directory = context.model_dir
    is_model = directory is not None and file == directory.model_file
    if is_model and directory and directory.contents and directory.contents.format in _NO_GRAPH:
        return None
    try:
        names = _names(file)
    except (OSError, ValueError):
        return UntrustedFile(file, (), complete=False)
    return UntrustedFile(file, names) if names else None


GRAPH = question(TrustQuestion("U02", of_model=True, files=_files, look=_look))


@rule(GRAPH.id, link=links.GRAPHS)
@on_directory
def code_that_a_graph_runs(context: CheckContext, _directory: ModelDir) -> Outcomes:
    """A SavedModel computes with its tensors only, unless you trusted it with --trust.

    Looked at are the operations that loading the graph tagged serve, or asking one of its signatures, can reach: also
    in functions, loops and datasets. What each operation of TensorFlow does is judged in catalog/graph_ops.json. One
    that reads or writes files, uses the network, runs Python or another engine, or is not TensorFlow's, is named; the
    model is not loaded until --trust is given, once for each content of saved_model.pb. Reading the model's own
    variables, and filling tables from its assets, needs no trust. Libraries in assets.extra/ and links that lead out of
    the directory are named, too. The worker that loads the model holds to the same list.
    """
    return answers(GRAPH, context, _finding)


def _names(file: File) -> tuple[str, ...]:
    """What the graphs of a file may do that is not known to be harmless."""
    judged = _judged()
    found: dict[str, str] = {}
    assets: list[str] = []
    for read in saved_models.graphs(file.path, judged.attributes()):
        graph = graph_walk.Graph(**{name: getattr(read, name) for name in graph_walk.Graph.__slots__})
        found.update(graph_walk.find_unsafe_operations(graph, judged))
        assets += graph_walk.unsafe_assets(graph)
    told = [_("{op} ({does})", op=op, does=_does(group)) for op, group in sorted(found.items())]
    return (*told, *(_("an asset outside of the model: {name!r}", name=name) for name in assets))


@functools.cache
def _judged() -> graph_walk.Judged:
    return graph_walk.Judged(str(catalog.graph_ops_path()))


def _finding(one: UntrustedFile) -> Finding:
    name = one.file.name
    if name in _GRAPHS:
        text = _("the graph of {file} would run {names}", file=name, names=listed(one.names))
    elif _is_library(PurePosixPath(name)):
        text = _("{file} is a library that loading the model would run", file=name)
    else:
        text = _("{file} is a link to a file outside of the model", file=name)
    python = any(_("{op} ({does})", op=op, does=_does("python")) in one.names for op in _PYTHON)
    return error(name, text, _without_python() if python else trust_fix())


_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def _without_python() -> str:
    return _("export the model without tf.py_function and tf.numpy_function: no server has the Python behind them")


def _does(group: str) -> str:
    """What the operations of a group of graph_ops.json do, for people."""
    return {
        "python": _("runs Python code"),
        "graph_in_data": _("runs a graph that is in its data"),
        "reads_files": _("reads files"),
        "readers": _("reads files"),
        "writes_files": _("writes files"),
        "dataset_files": _("writes files"),
        "reads_checkpoint": _("reads a checkpoint"),
        "writes_checkpoint": _("writes a checkpoint"),
        "vocabulary": _("reads a vocabulary file that is not an asset of the model"),
        "summaries": _("writes event files"),
        "debugging": _("sends debugging output to a file or over the network"),
        "network": _("uses the network"),
        "file_systems": _("changes how files are reached"),
        "engines": _("runs code of another compiler or engine"),
        "devices": _("drives TPUs or other workers"),
        "ends": _("ends the process"),
    }.get(group, _("not known to TensorFlow's releases"))

"""Trust in TensorFlow models: operations with effects beyond their tensors, and the model's own libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics.artifacts import File, ModelDir, saved_models
from aip_magics.artifacts.facts import SavedModelFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext, known_operations
from aip_magics.checks.model_facts import is_placeholder, requires_saved_model
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import error, on_directory, rule
from aip_magics.checks.trust import MAX_SHOWN, TrustQuestion, UntrustedFile, find_untrusted, register
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker import graph_walk
from aip_magics.prediction.worker_responses import trust_fix
from aip_magics.wording import join_names

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_READ_BY_LOADING = ("variables/", "assets/")


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


def _inspect(context: CheckContext, file: File) -> UntrustedFile | None:
    if file.name not in _GRAPHS:
        return UntrustedFile(file, (file.name,))
    if context.model_dir and is_placeholder(context.model_dir, file):
        return None  # TensorFlow does not read it as a graph either
    graphs = context.graphs(file)
    try:
        names = _names(graphs) if graphs is not None else None
    except ValueError:
        names = None
    if names is None:
        return UntrustedFile(file, (), complete=False)
    return UntrustedFile(file, names) if names else None


GRAPH = register(TrustQuestion("U02", of_model=True, files=_files, inspect=_inspect))


@rule(GRAPH.id, "untrusted-graph", link=links.GRAPHS)
@on_directory
def untrusted_graph(context: CheckContext, _directory: ModelDir) -> Outcomes:
    """A SavedModel must only compute with its tensors, unless it is trusted with --trust.

    The rule inspects the operations that loading the graph tagged serve, or calling one of its signatures, can reach,
    including those in functions, loops and datasets. catalog/graph_ops.json classifies each operation of TensorFlow.
    The rule reports operations that read or write files, use the network, run Python or another engine, or are not
    TensorFlow's own; the model is not loaded without --trust, which is needed once per content of saved_model.pb.
    Reading the model's own variables and initializing tables from its assets need no trust. Libraries in assets.extra/
    and links to files outside the directory are reported, too. The worker that loads the model enforces the same list.
    """
    return find_untrusted(GRAPH, context, _build_finding)


def _names(graphs: tuple[saved_models.Graph, ...]) -> tuple[str, ...]:
    """Return the operations and assets of the graphs that are not known to be harmless."""
    found: dict[str, str] = {}
    assets: list[str] = []
    for read in graphs:
        graph = _walkable(read)
        found.update(graph_walk.find_unsafe_operations(graph, known_operations()))
        assets += graph_walk.unsafe_assets(graph)
    operations = [_("{op} ({does})", op=op, does=_describe_group(group)) for op, group in sorted(found.items())]
    return (*operations, *(_("an asset outside the model: {name!r}", name=name) for name in assets))


def _walkable(graph: saved_models.Graph) -> graph_walk.Graph:
    return graph_walk.Graph(**{name: getattr(graph, name) for name in graph_walk.Graph.__slots__})


def _build_finding(untrusted: UntrustedFile) -> Finding:
    name = untrusted.file.name
    if name in _GRAPHS:
        text = _("the graph of {file} would run {names}", file=name, names=join_names(untrusted.names, MAX_SHOWN))
    elif _is_library(PurePosixPath(name)):
        text = _("{file} is a library that loading the model would run", file=name)
    else:
        text = _("{file} is a link to a file outside the model directory", file=name)
    python = any(_("{op} ({does})", op=op, does=_describe_group("python")) in untrusted.names for op in _PYTHON_OPS)
    return error(name, text, _python_fix() if python else trust_fix())


@rule("D12", "python-function-in-graph", link=links.PYTHON_FUNCTIONS)
@requires_saved_model
def python_function_in_graph(context: CheckContext, directory: ModelDir, _facts: SavedModelFacts) -> Outcomes:
    """The graph must not call Python functions: a SavedModel has the number of a function, not its code.

    Reported for tf.py_function and tf.numpy_function that loading the graph, or calling one of its signatures, reaches.
    """
    file = directory.model_file
    graphs = context.graphs(file) if file and not context.is_custom else None
    if file is None or graphs is None:
        return Skipped(_("the graph could not be read"))
    if any(untrusted.file == file for untrusted in GRAPH.untrusted_files(context)):
        return Skipped(_("the graph is not trusted"))  # U02 reports these operations with the same fix
    try:
        found = [graph_walk.find_unsafe_operations(_walkable(graph), known_operations()) for graph in graphs]
    except graph_walk.GraphUnclear:
        return Skipped(_("the graph could not be read"))
    names = sorted({op for operations in found for op, _group in operations if op in _PYTHON_OPS})
    if not names:
        return []
    text = _(
        "the graph calls Python functions that it does not contain ({ops}): no server can run it", ops=", ".join(names)
    )
    return [error(file.name, text, _python_fix())]


_PYTHON_OPS = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def _python_fix() -> str:
    return _(
        "use TensorFlow operations in place of tf.py_function and tf.numpy_function and export the model again, or call"
        " the Python code from a custom prediction routine"
    )


def _describe_group(group: str) -> str:
    """Describe what the operations of a group of graph_ops.json do."""
    return {
        "python": _("runs Python code"),
        "graph_in_data": _("runs a graph contained in its data"),
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
        "file_systems": _("changes how files are accessed"),
        "engines": _("runs code of another compiler or engine"),
        "devices": _("drives TPUs or other workers"),
        "ends": _("ends the process"),
    }.get(group, _("unknown to all TensorFlow releases"))

"""Trust in TensorFlow models: operations with effects beyond their tensors, and the model's own libraries."""

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
from aip_magics.checks.trust import TrustQuestion, UntrustedFile, find_untrusted, join_names, register
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


def _inspect(context: CheckContext, file: File) -> UntrustedFile | None:
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


def _names(file: File) -> tuple[str, ...]:
    """Return the operations and assets of the graphs in a file that are not known to be harmless."""
    known_operations = _load_judged()
    found: dict[str, str] = {}
    assets: list[str] = []
    for read in saved_models.graphs(file.path, known_operations.attributes()):
        graph = graph_walk.Graph(**{name: getattr(read, name) for name in graph_walk.Graph.__slots__})
        found.update(graph_walk.find_unsafe_operations(graph, known_operations))
        assets += graph_walk.unsafe_assets(graph)
    operations = [_("{op} ({does})", op=op, does=_describe_group(group)) for op, group in sorted(found.items())]
    return (*operations, *(_("an asset outside the model: {name!r}", name=name) for name in assets))


@functools.cache
def _load_judged() -> graph_walk.Judgements:
    return graph_walk.Judgements(str(catalog.graph_ops_path()))


def _build_finding(untrusted: UntrustedFile) -> Finding:
    name = untrusted.file.name
    if name in _GRAPHS:
        text = _("the graph of {file} would run {names}", file=name, names=join_names(untrusted.names))
    elif _is_library(PurePosixPath(name)):
        text = _("{file} is a library that loading the model would run", file=name)
    else:
        text = _("{file} is a link to a file outside the model directory", file=name)
    python = any(_("{op} ({does})", op=op, does=_describe_group("python")) in untrusted.names for op in _PYTHON_OPS)
    return error(name, text, _python_fix() if python else trust_fix())


_PYTHON_OPS = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def _python_fix() -> str:
    return _("export the model without tf.py_function and tf.numpy_function: servers do not have their Python code")


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

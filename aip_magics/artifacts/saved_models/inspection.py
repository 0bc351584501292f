"""What a SavedModel says about itself: from its protocol buffer, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aip_magics.artifacts import exports
from aip_magics.artifacts.facts import SavedModelFacts, Signature, Tensor
from aip_magics.artifacts.saved_models import pbtxt_reader, protobuf_reader
from aip_magics.artifacts.saved_models.schema import DTYPES, SAVED_MODEL, Tree
from aip_magics.i18n import gettext as _

# TensorFlow's own: the service drops them before it counts the signatures.
_OWN_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
_WITH_VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_MAX_MISSING = 20
_UNKNOWN_SIZE = (1 << 64) - 1  # -1 as the binary form writes it


def read(path: Path) -> SavedModelFacts:
    """Look into a saved_model.pb or saved_model.pbtxt, and for the files beside it that it needs.

    What is damaged is no error here: `complete` is False and `unread` says why.
    """
    try:
        tree = _tree(path)
    except OSError as error:
        unread = _("file could not be read: {reason}", reason=error.strerror or str(error))
        return SavedModelFacts(complete=False, unread=unread)
    except ValueError as error:
        unread = _("{file} is not a SavedModel, or is corrupted: {reason}", file=path.name, reason=error)
        return SavedModelFacts(complete=False, unread=unread)
    graphs = tree.get("meta_graphs", [])
    if not graphs:
        return SavedModelFacts(complete=False, unread=_("{file} contains no graph", file=path.name))
    return _facts(graphs, path.parent)


def _tree(path: Path) -> Tree:
    if path.suffix == ".pbtxt":
        return pbtxt_reader.read(pbtxt_reader.opened(path), SAVED_MODEL)
    with path.open("rb") as file:
        return protobuf_reader.read(file, path.stat().st_size, SAVED_MODEL)


def _facts(graphs: list[Tree], folder: Path) -> SavedModelFacts:
    tags = tuple(tuple(_first(graph, "meta_info_def").get("tags", [])) for graph in graphs)
    served = graphs[tags.index(("serve",))] if ("serve",) in tags else graphs[0]
    info = _first(served, "meta_info_def")
    ops = _ops(served)
    assets = tuple(one["filename"][0] for one in served.get("asset_file_def", []) if one.get("filename"))
    return SavedModelFacts(
        tags=tags,
        signatures=tuple(sorted(_signatures(served), key=lambda one: one.name)),
        tensorflow_version=info.get("tensorflow_version", [None])[0],
        ops=ops,
        variables=(folder / "variables" / "variables.index").is_file() and not exports.missing_part(folder),
        assets=assets,
        missing=tuple(_missing(folder, ops, assets)),
    )


def _ops(graph: Tree) -> frozenset[str]:
    definition = _first(graph, "graph_def")
    functions = _first(definition, "library").get("function", [])
    found = {*definition.get("node", []), *_first(_first(graph, "meta_info_def"), "stripped_op_list").get("op", [])}
    for function in functions:
        found.update(function.get("node_def", []))
    # A node may call a function of the graph by its name.
    return frozenset(found.difference(*(function.get("signature", []) for function in functions)))


def _signatures(graph: Tree) -> Iterator[Signature]:
    for name, signature in _entries(graph, "signature_def"):
        if name not in _OWN_SIGNATURES:
            method = signature.get("method_name", [""])[0]
            yield Signature(name, _tensors(signature, "inputs"), _tensors(signature, "outputs"), method)


def _tensors(signature: Tree, which: str) -> tuple[Tensor, ...]:
    """The inputs or outputs, by name."""
    return tuple(sorted((_tensor(*entry) for entry in _entries(signature, which)), key=lambda one: one.name))


def _tensor(alias: str, info: Tree) -> Tensor:
    dtype = info.get("dtype", [0])[0]
    shape = _first(info, "tensor_shape")
    sizes: tuple[int | None, ...] | None = tuple(_size(dim) for dim in shape.get("dim", []))
    # Without any shape the rank is not known, as with the mark for it (`1`, as text `true`).
    if "tensor_shape" not in info or shape.get("unknown_rank", [0])[0] in (1, "true"):
        sizes = None
    name = DTYPES.get(dtype, f"dtype {dtype}") if isinstance(dtype, int) else str(dtype)
    return Tensor(alias, name, sizes, str(info.get("name", [""])[0]))


def _size(dim: Tree) -> int | None:
    size = dim.get("size", [0])[0]
    return None if size in (-1, _UNKNOWN_SIZE) or not isinstance(size, int) else size


def _missing(folder: Path, ops: frozenset[str], assets: tuple[str, ...]) -> Iterator[str]:
    if lack := exports.missing_part(folder):
        yield lack
    elif ops & _WITH_VARIABLES and not (folder / "variables" / "variables.index").is_file():
        yield "variables/variables.index"
    for name in assets[:_MAX_MISSING]:
        if name.isprintable() and ".." not in Path(name).parts and not (folder / "assets" / name).is_file():
            yield f"assets/{name}"


def _entries(tree: Tree, name: str) -> Iterator[tuple[str, Tree]]:
    """The entries of a map: key and value."""
    for entry in tree.get(name, []):
        yield entry.get("key", [""])[0], _first(entry, "value")


def _first(tree: Tree, name: str) -> Tree:
    """The message in a field, an empty one where it is not there. Of several the first: no writer makes more."""
    found: list[Any] = tree.get(name, [])
    return found[0] if found else {}

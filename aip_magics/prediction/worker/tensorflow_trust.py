"""Load a SavedModel that nobody trusts: its graph is looked through as TensorFlow itself read it, before it is used.

Importing a graph may already run operations of it (constants are folded), so the message is looked at, and that very
message is loaded. Libraries of operations are not loaded, and files are read below the model's own folders only.
"""

# ruff: noqa: UP032

import os
from typing import Any

from . import graph_walk
from .errors import NotTrusted

TAGS = frozenset(["serve"])
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
ASSETS = "saved_model_assets"  # the collection, of exports before asset_file_def
SHOWN = 6


def load(session: "Any", model_dir: str, judged: graph_walk.Judged) -> "Any":
    """The meta graph, loaded into the session. NotTrusted where that, or a prediction, may do what is not harmless."""
    from tensorflow.python.saved_model import loader_impl

    check_links(model_dir)
    loader = loader_impl.SavedModelLoader(model_dir)
    # The loader keeps what it read: it loads this message, whatever happens to the file.
    meta = loader.get_meta_graph_def_from_tags(list(TAGS))
    cut_short(meta, check(meta, judged))
    return loader.load(session, list(TAGS))


def check(meta: "Any", judged: graph_walk.Judged) -> graph_walk.Graph:
    """The graph. NotTrusted if it may do what is not harmless."""
    graph = graph_of(meta, judged.attributes())
    unsafe = graph_walk.unsafe_assets(graph)
    if unsafe:
        raise NotTrusted("the file {!r} outside of the model".format(unsafe[0]))
    try:
        found = graph_walk.find_unsafe_operations(graph, judged)
    except graph_walk.GraphUnclear as error:
        raise NotTrusted(str(error)) from error
    if found:
        told = ["{} ({})".format(op, judged.does[group]) if group in judged.does else op for op, group in found[:SHOWN]]
        more = " and {} more".format(len(found) - SHOWN) if len(found) > SHOWN else ""
        raise NotTrusted(("the operations " if len(found) > 1 else "the operation ") + ", ".join(told) + more)
    return graph


def cut_short(meta: "Any", graph: graph_walk.Graph) -> None:
    """Take the file names of assets as the loader feeds them, not from a variable that others may write to, too."""
    short = graph_walk.detours(graph)
    for node in meta.graph_def.node if short else ():
        if node.name in short:
            kept = [tensor for tensor in node.input if tensor.startswith("^")]
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr["dtype"])
            del node.attr["dtype"]
            del node.input[:]
            node.input.extend([short[node.name], *kept])


def check_links(model_dir: str) -> None:
    """NotTrusted if a file that the loader opens lies outside of the model, by way of a link."""
    base = os.path.realpath(model_dir)
    for folder in ("variables", "assets"):
        root = os.path.join(base, folder)
        if os.path.realpath(root) != root:
            raise NotTrusted("{}, a link".format(folder))
        for path, folders, files in os.walk(root):
            for name in folders + files:
                joined = os.path.join(path, name)
                if os.path.islink(joined) and not os.path.realpath(joined).startswith(base + os.sep):
                    where = os.path.relpath(joined, base)
                    raise NotTrusted("{}, a link to a file outside of the model".format(where))


def graph_of(meta: "Any", attributes: "frozenset[str]") -> graph_walk.Graph:
    """A MetaGraphDef as it is walked through."""
    library = meta.graph_def.library
    gradients = {one.function_name: one.gradient_func for one in library.gradient}
    functions = {
        one.signature.name: graph_walk.Function(
            [argument.name for argument in one.signature.input_arg],
            [node_of(node, attributes) for node in one.node_def],
            "api_implements" in one.attr,
            gradients.get(one.signature.name, ""),
        )
        for one in library.function
    }
    if len(functions) < len(library.function):
        raise NotTrusted("two functions of one name")
    signatures = [
        (name, [info.name for info in list(one.inputs.values()) + list(one.outputs.values())])
        for name, one in meta.signature_def.items()
    ]
    inits = [meta.collection_def[key].node_list.value for key in INIT_COLLECTIONS if key in meta.collection_def]
    return graph_walk.Graph(
        [node_of(node, attributes) for node in meta.graph_def.node],
        functions,
        signatures,
        [name for names in inits for name in names],
        meta.saver_def.restore_op_name,
        meta.saver_def.filename_tensor_name,
        [(asset.tensor_info.name, asset.filename) for asset in assets_of(meta)],
    )


def assets_of(meta: "Any") -> "list[Any]":
    """What the loader feeds: the field, or else the collection. Both are looked at."""
    found = list(meta.asset_file_def)
    if ASSETS in meta.collection_def:
        from tensorflow.core.protobuf import meta_graph_pb2

        for packed in meta.collection_def[ASSETS].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            found.append(asset)
    return found


def node_of(node: "Any", attributes: "frozenset[str]") -> graph_walk.Node:
    functions = []  # type: list[str]
    texts = {}  # type: dict[str, str]
    for key, value in node.attr.items():
        kind = value.WhichOneof("value")
        if kind == "func":
            named(value.func, functions)
        elif kind == "list":
            for function in value.list.func:
                named(function, functions)
        if key in attributes:
            # Anything but a text (a placeholder of the function's caller) is none of the values that are known.
            texts[key] = value.s.decode("utf-8", "replace") if kind == "s" else "\0"
    return graph_walk.Node(node.name, node.op, list(node.input), functions, texts)


def named(function: "Any", found: "list[str]") -> None:
    """The function, and those that its own attributes name."""
    waiting = [function]
    while waiting:
        one = waiting.pop()
        found.append(one.name)
        for value in one.attr.values():
            if value.HasField("func"):
                waiting.append(value.func)
            elif value.HasField("list"):
                waiting.extend(value.list.func)

"""Load an untrusted SavedModel: check the graph, as TensorFlow itself parsed it, before using it.

Importing a graph may already run operations (constant folding), so the parsed message is checked and then that same
message is loaded. Libraries of operations are not loaded, and only files below the model's own directories are read.
"""

# ruff: noqa: UP032

import os
from typing import Any

from . import graph_walk
from .errors import NotTrusted

TAGS = frozenset(["serve"])
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
ASSETS = "saved_model_assets"  # the collection in exports that predate asset_file_def
SHOWN_OPERATIONS = 6


def load(session: "Any", model_dir: str, judgements: graph_walk.Judgements) -> "Any":
    """Load the meta graph into the session. Raises NotTrusted if loading or predicting may do what is not harmless."""
    from tensorflow.python.saved_model import loader_impl

    check_links(model_dir)
    loader = loader_impl.SavedModelLoader(model_dir)
    # The loader keeps the parsed message and loads it, even if the file changes meanwhile.
    meta = loader.get_meta_graph_def_from_tags(list(TAGS))
    bypass_variables(meta, check(meta, judgements))
    return loader.load(session, list(TAGS))


def check(meta: "Any", judgements: graph_walk.Judgements) -> graph_walk.Graph:
    """Build the graph to walk. Raises NotTrusted if the graph may do what is not harmless."""
    graph = build_graph(meta, judgements.attributes())
    unsafe = graph_walk.unsafe_assets(graph)
    if unsafe:
        raise NotTrusted("the file {!r} outside of the model".format(unsafe[0]))
    try:
        found = graph_walk.find_unsafe_operations(graph, judgements)
    except graph_walk.GraphUnclear as error:
        raise NotTrusted(str(error)) from error
    if found:
        shown = [
            "{} ({})".format(op, judgements.does[group]) if group in judgements.does else op
            for op, group in found[:SHOWN_OPERATIONS]
        ]
        more = " and {} more".format(len(found) - SHOWN_OPERATIONS) if len(found) > SHOWN_OPERATIONS else ""
        raise NotTrusted(("the operations " if len(found) > 1 else "the operation ") + ", ".join(shown) + more)
    return graph


def bypass_variables(meta: "Any", graph: graph_walk.Graph) -> None:
    """Use the asset file names that the loader feeds, not variables that other operations may write to."""
    sources = graph_walk.detours(graph)
    for node in meta.graph_def.node if sources else ():
        if node.name in sources:
            kept = [tensor for tensor in node.input if tensor.startswith("^")]
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr["dtype"])
            del node.attr["dtype"]
            del node.input[:]
            node.input.extend([sources[node.name], *kept])


def check_links(model_dir: str) -> None:
    """Raise NotTrusted if a link leads a file that the loader opens outside of the model."""
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


def build_graph(meta: "Any", attributes: "frozenset[str]") -> graph_walk.Graph:
    """Convert a MetaGraphDef to the graph to walk."""
    library = meta.graph_def.library
    gradients = {one.function_name: one.gradient_func for one in library.gradient}
    functions = {
        one.signature.name: graph_walk.Function(
            [argument.name for argument in one.signature.input_arg],
            [build_node(node, attributes) for node in one.node_def],
            "api_implements" in one.attr,
            gradients.get(one.signature.name, ""),
        )
        for one in library.function
    }
    if len(functions) < len(library.function):
        raise NotTrusted("two functions with the same name")
    signatures = [
        (name, [info.name for info in list(one.inputs.values()) + list(one.outputs.values())])
        for name, one in meta.signature_def.items()
    ]
    inits = [meta.collection_def[key].node_list.value for key in INIT_COLLECTIONS if key in meta.collection_def]
    return graph_walk.Graph(
        [build_node(node, attributes) for node in meta.graph_def.node],
        functions,
        signatures,
        [name for names in inits for name in names],
        meta.saver_def.restore_op_name,
        meta.saver_def.filename_tensor_name,
        [(asset.tensor_info.name, asset.filename) for asset in get_assets(meta)],
    )


def get_assets(meta: "Any") -> "list[Any]":
    """The assets that the loader may feed: those of the field and those of the collection."""
    found = list(meta.asset_file_def)
    if ASSETS in meta.collection_def:
        from tensorflow.core.protobuf import meta_graph_pb2

        for packed in meta.collection_def[ASSETS].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            found.append(asset)
    return found


def build_node(node: "Any", attributes: "frozenset[str]") -> graph_walk.Node:
    functions = []  # type: list[str]
    texts = {}  # type: dict[str, str]
    for key, value in node.attr.items():
        kind = value.WhichOneof("value")
        if kind == "func":
            add_function_names(value.func, functions)
        elif kind == "list":
            for function in value.list.func:
                add_function_names(function, functions)
        if key in attributes:
            # Anything but a string (such as a placeholder of the caller) is none of the known values.
            texts[key] = value.s.decode("utf-8", "replace") if kind == "s" else "\0"
    return graph_walk.Node(node.name, node.op, list(node.input), functions, texts)


def add_function_names(function: "Any", found: "list[str]") -> None:
    """Add the names of the function and of those in its attributes."""
    waiting = [function]
    while waiting:
        one = waiting.pop()
        found.append(one.name)
        for value in one.attr.values():
            if value.HasField("func"):
                waiting.append(value.func)
            elif value.HasField("list"):
                waiting.extend(value.list.func)

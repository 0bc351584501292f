"""The graph of a SavedModel as the rules of trust walk through it: operations, what they need and what they call."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.artifacts.saved_models import pbtxt_reader, protobuf_reader
from aip_magics.artifacts.saved_models.schema import Field, Message, Tree, map_field

MAX_FIELDS = 2_500_000  # a graph of 100,000 nodes has 1.5 million, which are read in about three seconds
_NESTED = 4  # functions named by the attributes of a function that is named by …
_SERVED = frozenset({"serve"})
_INIT_COLLECTIONS = frozenset({"saved_model_main_op", "legacy_init_op"})
_ASSETS = "saved_model_assets"
_AS_TEXT = "[type.googleapis.com/tensorflow.AssetFileDef]"
_NOTHING: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One operation: the tensors it takes, the functions it names, its attributes of text that were asked for."""

    name: str
    op: str
    inputs: tuple[str, ...]
    functions: tuple[str, ...]
    texts: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """A function of the graph's library. `swaps`: TensorFlow may call it in place of another one."""

    arguments: tuple[str, ...]
    nodes: tuple[Node, ...]
    swaps: bool
    gradient: str


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """A graph of a SavedModel, and what a loader uses of it.

    `signatures` are pairs of a name and its tensors, `init` names of operations, `restore` and `filename` what the
    saver runs and is fed, `assets` pairs of a tensor and the name of a file. `composites` are functions that take a
    value of several tensors, with its kind: `RaggedTensorSpec`.
    """

    nodes: tuple[Node, ...]
    functions: Mapping[str, Function]
    signatures: tuple[tuple[str, tuple[str, ...]], ...]
    init: tuple[str, ...]
    restore: str
    filename: str
    assets: tuple[tuple[str, str], ...]
    composites: Mapping[str, str]


def graphs(path: Path, attributes: frozenset[str]) -> tuple[Graph, ...]:
    """The graphs that are loaded to serve, all of them where none is for that; with these attributes of text.

    OSError, or ValueError where the file is damaged, or has more in it than is looked at.
    """
    schema = _schema(attributes)
    if path.suffix == ".pbtxt":
        tree = pbtxt_reader.read(pbtxt_reader.opened(path), schema)
    else:
        with path.open("rb") as file:
            tree = protobuf_reader.read(file, path.stat().st_size, schema, MAX_FIELDS)
    found: list[tuple[frozenset[str], Graph]] = tree.get("meta_graphs", [])
    served = tuple(graph for tags, graph in found if tags == _SERVED)
    return served or tuple(graph for _tags, graph in found)


def _schema(attributes: frozenset[str]) -> Message:
    """A SavedModel with the fields that say what may run."""
    value = _attribute_value(_NESTED)
    attribute = map_field(5, "attr", value, _attribute(attributes), _is_plain(attributes))
    node = Message((Field(1, "name"), Field(2, "op"), Field(3, "input"), attribute), make=_node)
    signature = Message((Field(1, "name"), Field(2, "input_arg", Message((Field(1, "name"),), only="name"))))
    function = Message(
        (Field(1, "signature", signature), Field(3, "node_def", node), map_field(5, "attr", Message(()), _key)),
        make=_function,
    )
    gradient = Message((Field(1, "function_name"), Field(2, "gradient_func")))
    library = Message((Field(1, "function", function), Field(2, "gradient", gradient)))
    tensor = Message((Field(1, "name"),), only="name")
    tensors = map_field(1, "inputs", tensor), map_field(2, "outputs", tensor)
    asset = Message((Field(1, "tensor_info", tensor), Field(2, "filename")))
    # The value of an Any is the bytes of the message; as text, the message stands there under its name.
    anything = Message((Field(1, "value", Message((Field(2, "value", asset), Field(0, _AS_TEXT, asset)))),))
    collection = Message((Field(1, "node_list", Message((Field(1, "value"),))), Field(5, "any_list", anything)))
    saver = Message((Field(1, "filename_tensor_name"), Field(3, "restore_op_name")))
    concrete = Message((Field(3, "canonicalized_input_signature", _structured_value(_NESTED)),))
    meta = Message(
        (
            Field(1, "meta_info_def", Message((Field(4, "tags"),))),
            Field(2, "graph_def", Message((Field(1, "node", node), Field(2, "library", library)))),
            Field(3, "saver_def", saver),
            map_field(4, "collection_def", collection),
            map_field(5, "signature_def", Message(tensors)),
            Field(6, "asset_file_def", asset),
            Field(7, "object_graph_def", Message((map_field(2, "concrete_functions", concrete, _composite),))),
        ),
        make=_graph,
    )
    return Message((Field(2, "meta_graphs", meta),))


def _attribute_value(depth: int) -> Message:
    """An AttrValue: a text, or functions, whose attributes may be functions again."""
    inner = (map_field(2, "attr", _attribute_value(depth - 1)),) if depth else ()
    named = Message((Field(1, "name"), *inner))
    return Message((Field(1, "list", Message((Field(9, "func", named),))), Field(2, "s"), Field(10, "func", named)))


def _structured_value(depth: int) -> Message:
    """A StructuredValue: a type that is none of a tensor, or tuples, lists and maps of such values."""
    spec = Field(34, "type_spec_value", Message((Field(3, "type_spec_class_name"),)))
    if not depth:
        return Message((spec,))
    values = Message((Field(1, "values", _structured_value(depth - 1)),))
    entries = Message((map_field(1, "fields", _structured_value(depth - 1)),))
    return Message(
        (spec, Field(51, "list_value", values), Field(52, "tuple_value", values), Field(53, "dict_value", entries))
    )


def _composite(entry: Tree) -> tuple[str, str] | None:
    """The name of a function, and the kind of its first argument that is of several tensors; None without one."""
    kinds = list(_specs(_message(_message(entry, "value"), "canonicalized_input_signature")))
    return (_key(entry), kinds[0]) if kinds else None


def _specs(value: Tree) -> Iterator[str]:
    for spec in value.get("type_spec_value", []):
        yield from _texts(spec, "type_spec_class_name")
    for listed in (*value.get("list_value", []), *value.get("tuple_value", [])):
        for one in listed.get("values", []):
            yield from _specs(one)
    for mapped in value.get("dict_value", []):
        for _name, one in _entries(mapped, "fields"):
            yield from _specs(one)


def _attribute(attributes: frozenset[str]) -> Callable[[Tree], Any]:
    """Makes of an attribute its key, the functions it names, and its text where that is asked for; None of others."""

    def make(entry: Tree) -> Any:
        key, value = _one(entry, "key"), _message(entry, "value")
        functions = tuple(_named(value)) if "func" in value or "list" in value else ()
        if key in attributes:
            return key, functions, _one(value, "s", "\0")
        return (None, functions, "") if functions else None

    return make


def _is_plain(attributes: frozenset[str]) -> Callable[[bytes, int, int], bool]:
    """Tells most attributes that say nothing of interest by a few bytes: a type, number, shape, tensor or text."""
    asked = {key.encode() for key in attributes}

    def plain(data: bytes, at: int, size: int) -> bool:
        # key, value: each a tag, a length of one byte, and that many bytes; the value has one field and no more.
        if size < 4 or data[at] != 0x0A or size > 127:
            return False
        value = at + 2 + data[at + 1]
        if value + 3 >= at + size or data[value] != 0x12 or value + 2 + data[value + 1] != at + size:
            return False
        if data[at + 2 : value] in asked:
            return False
        tag, field = data[value + 2], data[value + 3]
        if tag in (0x28, 0x30):  # b, type
            return field < 128 and value + 4 == at + size
        return tag in (0x12, 0x3A, 0x42) and value + 4 + field == at + size  # s, shape, tensor

    return plain


def _named(value: Tree) -> list[str]:
    """The functions that an AttrValue names."""
    functions = [*value.get("func", []), *(one for listed in value.get("list", []) for one in listed.get("func", []))]
    found: list[str] = []
    for function in functions:
        found.extend(_texts(function, "name"))
        for entry in function.get("attr", []):
            found.extend(_named(_message(entry, "value")))
    return found


def _key(entry: Tree) -> str:
    return _one(entry, "key")


def _node(tree: Tree) -> Node:
    attributes = tree.get("attr", [])
    return Node(
        _one(tree, "name"),
        sys.intern(_one(tree, "op")),
        _texts(tree, "input"),
        tuple(name for _key, functions, _text in attributes for name in functions),
        {key: text for key, _functions, text in attributes if key is not None} if attributes else _NOTHING,
    )


def _function(tree: Tree) -> tuple[str, Function]:
    signature = _message(tree, "signature")
    arguments, nodes = _texts(signature, "input_arg"), tuple(tree.get("node_def", []))
    return _one(signature, "name"), Function(arguments, nodes, "api_implements" in tree.get("attr", []), "")


def _graph(tree: Tree) -> tuple[frozenset[str], Graph]:
    definition = _message(tree, "graph_def")
    library, saver = _message(definition, "library"), _message(tree, "saver_def")
    functions: dict[str, Function] = dict(library.get("function", []))
    for gradient in library.get("gradient", []):
        name = _one(gradient, "function_name")
        if name in functions:
            functions[name] = dataclasses.replace(functions[name], gradient=_one(gradient, "gradient_func"))
    signatures = tuple(
        (
            name,
            tuple(str(tensor) for which in ("inputs", "outputs") for _alias, tensor in _entries(one, which) if tensor),
        )
        for name, one in _entries(tree, "signature_def")
    )
    collections = dict(_entries(tree, "collection_def"))
    inits = [_texts(_message(collections[key], "node_list"), "value") for key in _INIT_COLLECTIONS & set(collections)]
    packed = _message(collections.get(_ASSETS, {}), "any_list").get("value", [])
    assets = [
        *tree.get("asset_file_def", []),
        *(one for value in packed for key in ("value", _AS_TEXT) for one in value.get(key, [])),
    ]
    graph = Graph(
        nodes=tuple(definition.get("node", [])),
        functions=functions,
        signatures=signatures,
        init=tuple(name for names in inits for name in names),
        restore=_one(saver, "restore_op_name"),
        filename=_one(saver, "filename_tensor_name"),
        assets=tuple((_one(one, "tensor_info"), _one(one, "filename")) for one in assets),
        composites=dict(_message(tree, "object_graph_def").get("concrete_functions", [])),
    )
    return frozenset(_texts(_message(tree, "meta_info_def"), "tags")), graph


def _entries(tree: Tree, name: str) -> list[tuple[str, Any]]:
    """The entries of a map: key and value."""
    return [(_one(entry, "key"), _message(entry, "value")) for entry in tree.get(name, [])]


def _one(tree: Tree, name: str, default: str = "") -> str:
    """The text of a field; of several the last, as protocol buffers have it."""
    return str((tree.get(name) or [default])[-1])


def _texts(tree: Tree, name: str) -> tuple[str, ...]:
    """All texts of a field; in the text form of a file a number may stand there."""
    return tuple(map(str, tree.get(name, [])))


def _message(tree: Tree, name: str) -> Any:
    """The message in a field, an empty one where it is not there. Of several the last: no writer makes more."""
    return (tree.get(name) or [{}])[-1]

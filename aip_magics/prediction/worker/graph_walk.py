"""Which operations of a graph may run when a SavedModel is loaded and asked, and which of them are not harmless.

What each operation can reach beyond its tensors is judged in `catalog/graph_ops.json`. This module walks a graph that
was read by somebody (`tensorflow_trust` from TensorFlow's own messages, the rules from the bytes of the file):

* backwards from the tensors of the signatures, from the init operation, and from the operation that restores variables
* into every function that an operation names, in any attribute, and whatever may take its place
* a saver may restore from the path that the loader feeds, and a table may be filled from an asset that it feeds: the
  same operations with another file name count as any other
* what is not reached counts only where a release of TensorFlow may run it while it imports the graph
"""

import json
from typing import Any

INIT_SIGNATURE = "__saved_model_init_op"
CALLS = frozenset(["PartitionedCall", "StatefulPartitionedCall"])  # their inputs are the function's arguments
ASSET, CHECKPOINT = "asset", "checkpoint"  # what the loader feeds
# Where the name of the file is among the inputs, and what it has to be.
FILE_INPUT = {
    "InitializeTableFromTextFile": (1, ASSET),
    "InitializeTableFromTextFileV2": (1, ASSET),
    "Restore": (0, CHECKPOINT),
    "RestoreSlice": (0, CHECKPOINT),
    "RestoreV2": (0, CHECKPOINT),
}
UNKNOWN = "unknown"  # the group of an operation that is in no list
MAX_NODES = 3000000  # walked: functions that call each other can be many more than the file has
MAX_CHAIN = 100  # of Identity from the use of a file's name to where it comes from


class GraphUnclear(ValueError):
    """What the graph runs cannot be told: there is too much of it, or it is ambiguous."""


class Judged:
    """The judgement of `catalog/graph_ops.json`."""

    def __init__(self, path: str) -> None:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        self.harmless = frozenset(" ".join(data["harmless"]).split())
        self.group = {op: name for name, one in data["groups"].items() for op in " ".join(one["ops"]).split()}
        self.does = {name: one["does"] for name, one in data["groups"].items()}
        self.folds = frozenset(op for op, name in self.group.items() if data["groups"][name]["folds"])
        self.unless = data["unless"]

    def attributes(self) -> "frozenset[str]":
        """The attributes of text that decide about an operation."""
        return frozenset(one["attribute"] for one in self.unless.values())


class Node:
    """One operation. `functions` are those it names anywhere; `texts` its attributes of text that decide about it."""

    __slots__ = ("functions", "inputs", "name", "op", "texts")

    def __init__(
        self, name: str, op: str, inputs: "Any" = (), functions: "Any" = (), texts: "dict[str, str] | None" = None
    ) -> None:
        self.name = name
        self.op = op
        self.inputs = inputs
        self.functions = functions
        self.texts = texts


class Function:
    """A function of the library. `swaps`: TensorFlow may call it in place of another one of the same interface."""

    __slots__ = ("arguments", "gradient", "nodes", "swaps")

    def __init__(self, arguments: "Any", nodes: "Any", swaps: bool = False, gradient: str = "") -> None:
        self.arguments = arguments
        self.nodes = nodes
        self.swaps = swaps
        self.gradient = gradient


class Graph:
    """A meta graph: its nodes, its functions by name, and what the loader uses of it.

    `signatures` are pairs of a name and its tensors, `init` names of operations, `restore` and `filename` what the
    saver runs and feeds, `assets` pairs of a tensor and the name of a file.
    """

    __slots__ = ("assets", "filename", "functions", "init", "nodes", "restore", "signatures")

    def __init__(
        self,
        nodes: "Any",
        functions: "dict[str, Function]",
        signatures: "Any" = (),
        init: "Any" = (),
        restore: str = "",
        filename: str = "",
        assets: "Any" = (),
    ) -> None:
        self.nodes = nodes
        self.functions = functions
        self.signatures = signatures
        self.init = init
        self.restore = restore
        self.filename = filename
        self.assets = assets


def find_unsafe_operations(graph: Graph, judged: Judged) -> "list[tuple[str, str]]":
    """The operations that may run and are not harmless, each with its group, sorted. GraphUnclear.

    It holds for the graph in which `detours` are cut short.
    """
    short = detours(graph)
    nodes = [
        Node(node.name, "Identity", [short[node.name], *controls(node)]) if node.name in short else node
        for node in graph.nodes
    ]
    walk = Walk(graph, nodes, judged)
    if len(walk.nodes) < len(nodes):
        raise GraphUnclear("two operations of one name")
    walk.all()
    return sorted(walk.found.items())


def detours(graph: Graph) -> "dict[str, str]":
    """Operations that read an asset's file name from a variable, each with the tensor that was put into it.

    TensorFlow 2.10 and later keep the name so, for the initializers of tables. Whether nobody else writes to that
    variable cannot be seen, as it may be reached by its name: who loads the graph takes the tensor in place of it.
    """
    nodes = {node.name: node for node in graph.nodes}
    fed = {plain(tensor) for tensor, _name in graph.assets}
    assigned = {}  # type: dict[str, list[str]]
    for node in graph.nodes:
        if node.op == "AssignVariableOp" and len(node.inputs) > 1:
            assigned.setdefault(plain(node.inputs[0]), []).append(node.inputs[1])
    served = needed(nodes, [tensor for name, tensors in graph.signatures for tensor in tensors if ":" in tensor])
    found = {}
    for node in graph.nodes:
        if node.op == "ReadVariableOp" and node.inputs and node.name not in served:
            values = assigned.get(plain(node.inputs[0]), [])
            if len(values) == 1 and plain(values[0]) in fed:
                found[node.name] = values[0]
    return found


def needed(nodes: "dict[str, Node]", tensors: "Any") -> "set[str]":
    """The operations that these tensors need, by their names."""
    waiting = [operation(tensor) for tensor in tensors]
    seen = set()  # type: set[str]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            waiting.extend(operation(tensor) for tensor in nodes[name].inputs)
    return seen


def controls(node: Node) -> "list[str]":
    """The control inputs of a node."""
    return [tensor for tensor in node.inputs if tensor[:1] == "^"]


def unsafe_assets(graph: Graph) -> "list[str]":
    """The names of assets that are no files below the folder assets/."""
    return sorted({name for _tensor, name in graph.assets if not is_below(name)})


def is_below(name: str) -> bool:
    """Whether a relative path stays below the folder it is joined to, on any system."""
    if not name or name.startswith(("/", "\\", "~")) or ":" in name or "\0" in name:
        return False
    return ".." not in name.replace("\\", "/").split("/")


class Walk:
    """One walk through a graph; `found` has each operation that is not harmless, and its group."""

    def __init__(self, graph: Graph, nodes: "list[Node]", judged: Judged) -> None:
        self.graph = graph
        self.judged = judged
        self.found = {}  # type: dict[str, str]
        self.nodes = {node.name: node for node in nodes}
        self.reached = set()  # type: set[str]
        self.done = set()  # type: set[tuple[str, tuple[str, ...], bool]]
        self.waiting = []  # type: list[tuple[str, tuple[str, ...], bool]]
        self.left = MAX_NODES

    def all(self) -> None:
        graph = self.graph
        served = [tensor for name, tensors in graph.signatures for tensor in tensors if is_fetched(name, tensor)]
        inits = [tensor for name, tensors in graph.signatures for tensor in tensors if name == INIT_SIGNATURE]
        assets = {plain(tensor): ASSET for tensor, name in graph.assets if is_below(name) and plain(tensor)}
        checkpoint = {plain(graph.filename): CHECKPOINT} if plain(graph.filename) else {}
        self.backwards(served, {})
        self.backwards(inits + list(graph.init), assets)
        self.backwards([graph.restore] if graph.restore else [], checkpoint)
        for name, function in graph.functions.items():
            if function.swaps:
                self.call(name, (), False)
        for node in self.nodes.values():
            if node.name not in self.reached:
                self.judge(node, self.nodes, {}, True)
        self.drain()

    def backwards(self, tensors: "Any", fed: "dict[str, str]") -> None:
        """Everything of the graph that these tensors need; `fed` is what the loader puts in place of nodes."""
        seen = needed(self.nodes, tensors)
        for name in seen:
            self.judge(self.nodes[name], self.nodes, fed, False)
        self.reached |= seen
        self.drain()

    def drain(self) -> None:
        """Walk through the functions that were called."""
        while self.waiting:
            name, labels, folding = self.waiting.pop()
            function = self.graph.functions[name]
            nodes = {node.name: node for node in function.nodes}
            fed = {
                argument: label
                for argument, label in zip(function.arguments, labels)  # noqa: B905 (Python 3.5)
                if label and argument not in nodes
            }
            for node in function.nodes:
                self.judge(node, nodes, fed, folding)
            if function.gradient:
                self.call(function.gradient, (), folding)

    def call(self, name: str, labels: "tuple[str, ...]", folding: bool) -> None:
        wanted = name, labels if any(labels) else (), folding
        if name in self.graph.functions and wanted not in self.done:
            self.done.add(wanted)
            self.waiting.append(wanted)

    def judge(self, node: Node, nodes: "dict[str, Node]", fed: "dict[str, str]", folding: bool) -> None:
        """Note a node that is not harmless, and the functions it names. `folding`: only importing it may run it."""
        self.left -= 1
        if self.left < 0:
            raise GraphUnclear("more operations than are looked at")
        op = node.op
        called = op in self.graph.functions
        if node.functions or called:
            labels = ()  # type: tuple[str, ...]
            if fed and len(node.functions) + called == 1 and (called or op in CALLS):
                labels = tuple(self.label(tensor, nodes, fed) for tensor in node.inputs if tensor[:1] != "^")
            for name in node.functions:
                self.call(name, labels, folding)
        if called:
            self.call(op, labels, folding)
        elif op not in self.judged.harmless and op not in self.found:
            group = self.judged.group.get(op, UNKNOWN)
            if folding and group != UNKNOWN and op not in self.judged.folds:
                return
            if not self.is_meant(node, nodes, fed):
                self.found[op] = group

    def is_meant(self, node: Node, nodes: "dict[str, Node]", fed: "dict[str, str]") -> bool:
        """Whether this use of an operation is harmless: by what an attribute says, or by the file that it is fed."""
        unless = self.judged.unless.get(node.op)
        if unless:
            return (node.texts or {}).get(unless["attribute"], "") in unless["values"]
        place, label = FILE_INPUT.get(node.op, (0, ""))
        inputs = [tensor for tensor in node.inputs if tensor[:1] != "^"]
        return bool(label) and len(inputs) > place and self.label(inputs[place], nodes, fed) == label

    def label(self, tensor: str, nodes: "dict[str, Node]", fed: "dict[str, str]") -> str:
        """What the loader feeds where this tensor comes from; empty if it may be anything."""
        for _step in range(MAX_CHAIN):
            name, _, output = tensor.partition(":")
            if name in fed:
                return fed[name] if output in ("", "0") else ""
            node = nodes.get(name)
            if node is None or node.op != "Identity" or "Identity" in self.graph.functions or not node.inputs:
                return ""
            tensor = node.inputs[0]
        return ""


def is_fetched(signature: str, tensor: str) -> bool:
    """Whether a prediction can ask for it. The init operation is a signature, too, without a tensor."""
    return signature != INIT_SIGNATURE or ":" in tensor


def operation(tensor: str) -> str:
    """The node that a tensor or a control input comes from."""
    return tensor.lstrip("^").partition(":")[0]


def plain(tensor: str) -> str:
    """The node whose first output a tensor is; empty for another output, or none."""
    name, _, output = tensor.partition(":")
    return name if output in ("", "0") else ""

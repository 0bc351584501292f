"""Find the operations of a graph that may run when a SavedModel is loaded or predicts, and that are not harmless.

`catalog/graph_ops.json` judges what each operation can access beyond its tensors. This module walks a graph that its
caller has read (`tensorflow_trust` from TensorFlow's own messages, the preflight checks from the bytes of the file):

* backwards from the tensors of the signatures, from the init operation, and from the operation that restores variables
* into every function that an operation names, in any attribute, and every function that may replace it
* a saver may restore from the path that the loader feeds, and a table may be filled from an asset that the loader
  feeds; with any other file name, the same operations are not harmless
* unreachable operations count only if a release of TensorFlow may run them while it imports the graph
"""

import json
from typing import Any

INIT_SIGNATURE = "__saved_model_init_op"
CALLS = frozenset(["PartitionedCall", "StatefulPartitionedCall"])  # the inputs are the arguments of the function
ASSET, CHECKPOINT = "asset", "checkpoint"  # kinds of file names that the loader feeds
# The index of the file name among the inputs, and the kind that it has to be.
FILE_INPUT = {
    "InitializeTableFromTextFile": (1, ASSET),
    "InitializeTableFromTextFileV2": (1, ASSET),
    "Restore": (0, CHECKPOINT),
    "RestoreSlice": (0, CHECKPOINT),
    "RestoreV2": (0, CHECKPOINT),
}
UNKNOWN = "unknown"  # the group of an operation that is not listed
MAX_NODES = 3000000  # limit of the walk: nested function calls can visit many more nodes than the file has
MAX_CHAIN = 100  # limit of Identity operations between the use of a file name and its source


class GraphUnclear(ValueError):
    """The operations of the graph cannot be determined: the graph is too large or ambiguous."""


class Judgements:
    """The judgements of operations in `catalog/graph_ops.json`."""

    def __init__(self, path: str) -> None:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        self.harmless = frozenset(" ".join(data["harmless"]).split())
        self.group = {op: name for name, one in data["groups"].items() for op in " ".join(one["ops"]).split()}
        self.does = {name: one["does"] for name, one in data["groups"].items()}
        self.folds = frozenset(op for op, name in self.group.items() if data["groups"][name]["folds"])
        self.unless = data["unless"]

    def attributes(self) -> "frozenset[str]":
        """The string attributes that decide whether an operation is harmless."""
        return frozenset(one["attribute"] for one in self.unless.values())


class Node:
    """One operation, with all the `functions` it names and the string attributes (`texts`) that decide about it."""

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
    """A function of the library. `swaps`: TensorFlow may call it instead of another function of the same interface."""

    __slots__ = ("arguments", "gradient", "nodes", "swaps")

    def __init__(self, arguments: "Any", nodes: "Any", swaps: bool = False, gradient: str = "") -> None:
        self.arguments = arguments
        self.nodes = nodes
        self.swaps = swaps
        self.gradient = gradient


class Graph:
    """A meta graph: its nodes, its functions by name, and what the loader uses.

    `signatures` are pairs of a name and its tensors, `init` names of operations, `restore` the operation that the saver
    runs, `filename` the tensor that the saver feeds, and `assets` pairs of a tensor and a file name.
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


def find_unsafe_operations(graph: Graph, judgements: Judgements) -> "list[tuple[str, str]]":
    """Find the operations that may run and are not harmless, with their groups, sorted. Raises GraphUnclear.

    The result applies to the graph with its `detours` replaced, as `tensorflow_trust` loads it.
    """
    sources = detours(graph)
    nodes = [
        Node(node.name, "Identity", [sources[node.name], *controls(node)]) if node.name in sources else node
        for node in graph.nodes
    ]
    walk = Walk(graph, nodes, judgements)
    if len(walk.nodes) < len(nodes):
        raise GraphUnclear("two operations with the same name")
    walk.run()
    return sorted(walk.found.items())


def detours(graph: Graph) -> "dict[str, str]":
    """Find operations that read an asset's file name from a variable, with the tensor assigned to that variable.

    TensorFlow 2.10 and later store file names this way for the initializers of tables. Other operations may also write
    to the variable by its name, which cannot be ruled out, so the loader of the graph uses the tensor instead.
    """
    nodes = {node.name: node for node in graph.nodes}
    fed = {first_output_node(tensor) for tensor, _name in graph.assets}
    assigned = {}  # type: dict[str, list[str]]
    for node in graph.nodes:
        if node.op == "AssignVariableOp" and len(node.inputs) > 1:
            assigned.setdefault(first_output_node(node.inputs[0]), []).append(node.inputs[1])
    served = needed(nodes, [tensor for name, tensors in graph.signatures for tensor in tensors if ":" in tensor])
    found = {}
    for node in graph.nodes:
        if node.op == "ReadVariableOp" and node.inputs and node.name not in served:
            values = assigned.get(first_output_node(node.inputs[0]), [])
            if len(values) == 1 and first_output_node(values[0]) in fed:
                found[node.name] = values[0]
    return found


def needed(nodes: "dict[str, Node]", tensors: "Any") -> "set[str]":
    """The names of the operations that these tensors need."""
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
    """The file names of assets that are not below the directory assets/."""
    return sorted({name for _tensor, name in graph.assets if not is_below(name)})


def is_below(name: str) -> bool:
    """Whether a relative path stays below the directory it is joined to, on any operating system."""
    if not name or name.startswith(("/", "\\", "~")) or ":" in name or "\0" in name:
        return False
    return ".." not in name.replace("\\", "/").split("/")


class Walk:
    """One walk through a graph; `found` maps each operation that is not harmless to its group."""

    def __init__(self, graph: Graph, nodes: "list[Node]", judgements: Judgements) -> None:
        self.graph = graph
        self.judgements = judgements
        self.found = {}  # type: dict[str, str]
        self.nodes = {node.name: node for node in nodes}
        self.reached = set()  # type: set[str]
        self.done = set()  # type: set[tuple[str, tuple[str, ...], bool]]
        self.waiting = []  # type: list[tuple[str, tuple[str, ...], bool]]
        self.left = MAX_NODES

    def run(self) -> None:
        """Walk through everything that may run."""
        graph = self.graph
        served = [tensor for name, tensors in graph.signatures for tensor in tensors if is_fetched(name, tensor)]
        inits = [tensor for name, tensors in graph.signatures for tensor in tensors if name == INIT_SIGNATURE]
        assets = {first_output_node(tensor): ASSET for tensor, name in graph.assets if is_below(name)}
        checkpoint = {first_output_node(graph.filename): CHECKPOINT}
        for fed in (assets, checkpoint):
            fed.pop("", None)  # no node, or another output than the first
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
        """Judge every node that these tensors need; `fed` has the nodes that the loader feeds."""
        seen = needed(self.nodes, tensors)
        for name in seen:
            self.judge(self.nodes[name], self.nodes, fed, False)
        self.reached |= seen
        self.drain()

    def drain(self) -> None:
        """Walk through the functions called so far, and the functions that they call."""
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
        """Queue a function, with the kinds of its arguments, unless it was walked through already."""
        call = name, labels if any(labels) else (), folding
        if name in self.graph.functions and call not in self.done:
            self.done.add(call)
            self.waiting.append(call)

    def judge(self, node: Node, nodes: "dict[str, Node]", fed: "dict[str, str]", folding: bool) -> None:
        """Record a node that is not harmless, and queue its functions. `folding`: only graph import may run it."""
        self.left -= 1
        if self.left < 0:
            raise GraphUnclear("too many operations to check")
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
        elif op not in self.judgements.harmless and op not in self.found:
            group = self.judgements.group.get(op, UNKNOWN)
            if folding and group != UNKNOWN and op not in self.judgements.folds:
                return
            if not self.is_harmless_use(node, nodes, fed):
                self.found[op] = group

    def is_harmless_use(self, node: Node, nodes: "dict[str, Node]", fed: "dict[str, str]") -> bool:
        """Whether this use of an operation is harmless, by its attribute or by the file that the loader feeds."""
        unless = self.judgements.unless.get(node.op)
        if unless:
            return (node.texts or {}).get(unless["attribute"], "") in unless["values"]
        index, label = FILE_INPUT.get(node.op, (0, ""))
        inputs = [tensor for tensor in node.inputs if tensor[:1] != "^"]
        return bool(label) and len(inputs) > index and self.label(inputs[index], nodes, fed) == label

    def label(self, tensor: str, nodes: "dict[str, Node]", fed: "dict[str, str]") -> str:
        """The kind of file name that the loader feeds into this tensor; empty if the tensor may have any value."""
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
    """Whether a prediction can fetch the tensor. The init operation is stored as a signature without a tensor."""
    return signature != INIT_SIGNATURE or ":" in tensor


def operation(tensor: str) -> str:
    """The name of the node that a tensor or a control input comes from."""
    return tensor.lstrip("^").partition(":")[0]


def first_output_node(tensor: str) -> str:
    """The name of the node whose first output is this tensor; empty for any other output."""
    name, _, output = tensor.partition(":")
    return name if output in ("", "0") else ""

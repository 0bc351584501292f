"""Which variables a prediction reads, and which of them have a value: from the graph alone, without TensorFlow.

A loader of a SavedModel runs two operations: one restores variables from the checkpoint, one initializes. A variable
that a signature reads and neither of them assigns has no value, and every prediction fails. Keras 3 models saved with
`tf.saved_model.save` are such: the checkpoint has copies of the variables that the functions use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aip_magics.artifacts.saved_models.graph import Graph, Node

SHARED_NAME = "shared_name"  # the attribute that names a variable: `graphs` has to be asked for it
_INIT_SIGNATURE = "__saved_model_init_op"
_RESOURCES = frozenset({"VarHandleOp"})
_REFERENCES = frozenset({"VariableV2", "Variable"})  # of TensorFlow 1
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
# Operations that call functions with their own inputs as arguments, from this index on.
_ARGUMENTS_FROM = {
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "While": 0,
    "StatelessWhile": 0,
    "If": 1,
    "StatelessIf": 1,
    "Case": 1,
    "StatelessCase": 1,
}
_MAX_NODES = 3_000_000
_MAX_CHAIN = 100  # operations that hand a variable on

_Arguments = Mapping[str, str]


def variables_without_value(graph: Graph) -> tuple[str, ...]:
    """Return the names of the variables that a signature reads and nothing assigns, sorted.

    Empty where it cannot be told: no operation restores variables, or the graph is too large.
    """
    if not graph.restore:
        return ()  # a loader of TensorFlow 1 builds one itself
    loaded = [graph.restore, *graph.init]
    served: list[str] = []
    for name, tensors in graph.signatures:
        (loaded if name == _INIT_SIGNATURE else served).extend(tensors)
    try:
        load, predict = _Walk(graph), _Walk(graph)
        load.backwards(loaded)
        predict.backwards(served)
    except _TooLarge:
        return ()
    return tuple(sorted(predict.read - load.assigned - predict.assigned))


class _TooLarge(Exception):
    pass


class _Walk:
    """Walks through what some tensors need. `read` and `assigned` are the names of variables."""

    def __init__(self, graph: Graph) -> None:
        self.read: set[str] = set()
        self.assigned: set[str] = set()
        self._graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self._called: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        self._waiting: list[tuple[str, _Arguments]] = []
        self._left = _MAX_NODES

    def backwards(self, tensors: Iterable[str]) -> None:
        """Visit every node that the tensors need, and the functions that these call."""
        waiting, seen = [_node_of(tensor) for tensor in tensors], set()
        while waiting:
            name = waiting.pop()
            if name in self._nodes and name not in seen:
                seen.add(name)
                waiting.extend(map(_node_of, self._nodes[name].inputs))
        for name in seen:
            self._visit(self._nodes[name], self._nodes, {})
        while self._waiting:
            function, arguments = self._waiting.pop()
            nodes = {node.name: node for node in self._graph.functions[function].nodes}
            for node in nodes.values():
                self._visit(node, nodes, arguments)

    def _visit(self, node: Node, nodes: Mapping[str, Node], arguments: _Arguments) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooLarge
        inputs = [tensor for tensor in node.inputs if not tensor.startswith("^")]
        if node.functions or node.op in self._graph.functions:
            self._call(node, [_variable(tensor, nodes, arguments) for tensor in inputs])
        elif node.op in _READS or node.op.startswith("Assign"):
            variable = _variable(inputs[0], nodes, arguments) if inputs else ""
            if variable:
                (self.read if node.op in _READS else self.assigned).add(variable)
        elif node.op == "Identity" and inputs:
            source = nodes.get(_node_of(inputs[0]))
            if source is not None and source.op in _REFERENCES:  # how TensorFlow 1 reads one
                self.read.add(_name_of(source))

    def _call(self, node: Node, variables: list[str]) -> None:
        """Queue the functions that a node calls, with the variables among its inputs."""
        names = [name for name in (*node.functions, node.op) if name in self._graph.functions]
        first = 0 if node.op in self._graph.functions else _ARGUMENTS_FROM.get(node.op)
        for name in names:
            if first is None:
                # Which argument an input becomes is not known. What the function assigns is not reported.
                self.assigned.update(filter(None, variables))
                arguments: dict[str, str] = {}
            else:
                pairs = zip(self._graph.functions[name].arguments, variables[first:], strict=False)
                arguments = {argument: variable for argument, variable in pairs if variable}
            call = name, tuple(sorted(arguments.items()))
            if call not in self._called:
                self._called.add(call)
                self._waiting.append((name, arguments))


def _variable(tensor: str, nodes: Mapping[str, Node], arguments: _Arguments) -> str:
    """Return the name of the variable that a tensor stands for, "" if it stands for none."""
    for _step in range(_MAX_CHAIN):
        name = _node_of(tensor)
        if name in arguments:
            return arguments[name]
        node = nodes.get(name)
        if node is None:
            return ""
        if node.op in _RESOURCES or node.op in _REFERENCES:
            return _name_of(node)
        if node.op not in ("Identity", "Enter", "Switch", "RefIdentity") or not node.inputs:
            return ""
        tensor = node.inputs[0]
    return ""


def _name_of(variable: Node) -> str:
    return variable.texts.get(SHARED_NAME) or variable.name


def _node_of(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]

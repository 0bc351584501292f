"""The walk through a graph: what loading or a prediction reaches, on handwritten graphs."""

from __future__ import annotations

import pytest

from aip_magics import catalog
from aip_magics.prediction.worker import graph_walk
from aip_magics.prediction.worker.graph_walk import Function, Graph, Judgements, Node

JUDGED = Judgements(str(catalog.graph_ops_path()))
SERVED = (("serving_default", ("x:0", "y:0")),)
X = Node("x", "Placeholder")
WRITE = Node("w", "WriteFile", ["x"])


def ops(nodes: list[Node], functions: dict[str, Function] | None = None, **options: object) -> list[str]:
    graph = Graph([X, *nodes], functions or {}, **{"signatures": SERVED, **options})  # type: ignore[arg-type]
    return [op for op, _group in graph_walk.find_unsafe_operations(graph, JUDGED)]


def test_reach_counts_unreached_operations_that_importing_may_run() -> None:
    y = Node("y", "Identity", ["x"])
    assert ops([y, Node("s", "SaveV2", ["x"]), Node("d", "TextLineDataset", ["x"])]) == []
    assert ops([y, Node("r", "ReadFile", ["x"])]) == ["ReadFile"]
    assert ops([y, Node("c", "PartitionedCall", [], ["f"])], {"f": Function([], [WRITE])}) == ["WriteFile"]
    assert ops([y, Node("c", "NewOp")]) == ["NewOp"]
    assert ops([y], {"f": Function([], [WRITE])}) == []  # never called


@pytest.mark.parametrize("tensor", ["d", "d:1", "^d"])
def test_reach_follows_control_inputs_and_later_outputs(tensor: str) -> None:
    assert ops([Node("y", "Identity", ["x", tensor]), Node("d", "TextLineDataset", ["x"])]) == ["TextLineDataset"]


def test_reach_follows_functions_wherever_they_are_named() -> None:
    read = Function([], [Node("d", "TextLineDataset")])
    inner = Function([], [Node("c", "While", [], ["g"])])
    assert ops([Node("y", "f", ["x"])], {"f": inner, "g": read}) == ["TextLineDataset"]
    assert ops([Node("y", "Identity", ["x"], ["f"])], {"f": inner, "g": read}) == ["TextLineDataset"]
    endless = Function([], [Node("c", "f"), Node("d", "g")])
    assert ops([Node("y", "f", ["x"])], {"f": endless, "g": endless}) == []
    assert ops([Node("y", "f", ["x"])], {"f": Function([], [], gradient="g"), "g": read}) == ["TextLineDataset"]
    assert ops([Node("y", "Identity", ["x"])], {"f": Function([], read.nodes, swaps=True)}) == ["TextLineDataset"]


def test_reach_judges_a_function_in_the_place_of_a_harmless_operation() -> None:
    assert ops([Node("y", "Relu", ["x"])], {"Relu": Function(["a"], [WRITE])}) == ["WriteFile"]


SAVER = {"restore": "r", "filename": "save/Const:0"}
Y = Node("y", "Identity", ["x"])


def restored(path: str, *more: Node) -> list[Node]:
    return [Y, Node("save/Const", "Const"), Node("r", "NoOp", ["^s"]), Node("s", "RestoreV2", [path]), *more]


def test_reach_restores_a_saver_from_what_it_is_fed() -> None:
    assert ops(restored("save/Const"), **SAVER) == []
    assert ops(restored("save/Const:0"), **SAVER) == []
    assert ops(restored("i", Node("i", "Identity", ["save/Const"])), **SAVER) == []
    assert ops(restored("i", Node("i", "Identity", ["other"]), Node("other", "Const")), **SAVER) == ["RestoreV2"]
    assert ops(restored("i", Node("i", "StringJoin", ["save/Const"])), **SAVER) == ["RestoreV2"]
    assert ops(restored("save/Const:1"), **SAVER) == ["RestoreV2"]
    assert ops(restored("save/Const"), restore="r", filename="") == ["RestoreV2"]
    # A signature does not get what the loader feeds to the saver.
    served = {"signatures": (("serving_default", ("x:0", "s:0")),)}
    assert ops(restored("save/Const"), **SAVER, **served) == ["RestoreV2"]
    shadowed = {"Identity": Function(["a"], [Node("c", "Const")])}
    assert ops(restored("i", Node("i", "Identity", ["save/Const"])), shadowed, **SAVER) == ["RestoreV2"]


def calls(*inputs: str, op: str = "StatefulPartitionedCall", functions: tuple[str, ...] = ("f",)) -> list[Node]:
    return [Y, Node("a", "Const"), Node("b", "Const"), Node("n", "NoOp", ["^c"]), Node("c", op, inputs, functions)]


def test_reach_fills_a_table_from_an_asset_that_is_fed() -> None:
    fill = {"f": Function(["table", "path"], [Node("t", "InitializeTableFromTextFileV2", ["table", "path"])])}
    named = ["InitializeTableFromTextFileV2"]
    init = {"init": ["n"], "assets": [("a:0", "words.txt")]}
    assert ops(calls("x", "a"), fill, **init) == []
    assert ops(calls("x", "b"), fill, **init) == named
    assert ops(calls("a", "b"), fill, **init) == named
    assert ops([*calls("x", "a"), Node("c2", "f", ["x", "b"]), Node("n2", "NoOp", ["^c2"])], fill, init=["n", "n2"],
               assets=init["assets"]) == named  # fmt: skip
    assert ops(calls("x", "a", op="While"), fill, **init) == named  # the inputs of a loop change with each iteration
    assert ops(calls("x", "a", functions=("f", "g")), {**fill, "g": fill["f"]}, **init) == named
    assert ops(calls("x", "a"), fill, assets=init["assets"], signatures=(("s", ("c:0",)),)) == named
    assert ops(calls("x", "a"), fill, init=["n"], assets=[("a:0", "../words.txt")]) == named


def test_reach_reads_an_asset_from_a_variable() -> None:
    table = Node("t", "InitializeTableFromTextFileV2", ["x", "read"])
    variable, n = Node("v", "VarHandleOp"), Node("n", "NoOp", ["^t"])
    read, assign = Node("read", "ReadVariableOp", ["v", "^assign"]), Node("assign", "AssignVariableOp", ["v", "a"])
    known = [Y, Node("a", "Placeholder"), variable, n, table, read, assign]
    init = {"init": ["n"], "assets": [("a:0", "words.txt")]}
    assert ops(known, **init) == []
    assert graph_walk.detours(Graph([X, *known], {}, SERVED, ["n"], "", "", [("a:0", "words.txt")])) == {"read": "a"}
    again = Node("again", "AssignVariableOp", ["v", "x"])
    assert ops([*known, again], **init) == ["InitializeTableFromTextFileV2"]


@pytest.mark.parametrize(
    ("attribute", "op", "harmless", "other"),
    [
        ("output_stream", "PrintV2", ["stderr", "log(info)"], ["file:///x", "\0", "stderr2"]),
        ("descriptor_source", "DecodeProtoV2", ["local://"], ["/etc/passwd"]),
        ("vocab_file", "FixedUnigramCandidateSampler", [""], ["/etc/passwd"]),
    ],
)
def test_reach_lets_an_attribute_decide(attribute: str, op: str, harmless: list[str], other: list[str]) -> None:
    assert ops([Node("y", op, ["x"])]) == []
    assert [ops([Node("y", op, ["x"], (), {attribute: text})]) for text in harmless] == [[]] * len(harmless)
    assert [ops([Node("y", op, ["x"], (), {attribute: text})]) for text in other] == [[op]] * len(other)


def test_reach_says_what_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(graph_walk.GraphUnclear, match="two operations with the same name"):
        ops([Y, Y])
    monkeypatch.setattr(graph_walk, "MAX_NODES", 50)
    deep = {f"f{n}": Function(["a"], [Node(f"c{m}", f"f{n + 1}", ["a"]) for m in range(9)]) for n in range(9)}
    with pytest.raises(graph_walk.GraphUnclear, match="too many operations to check"):
        ops([Node("y", "f0", ["x"])], deep)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "gs://b/o", "", "\\x", "a\\..\\..\\x", "c:x", "~/x"]
)
def test_reach_keeps_assets_below_their_folder(name: str) -> None:
    assert not graph_walk.is_below(name)
    assert graph_walk.unsafe_assets(Graph([], {}, assets=[("a:0", name), ("b:0", "ok.txt")])) == [name]
    assert graph_walk.is_below("words/단어..txt")

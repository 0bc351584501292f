"""SavedModels are read without TensorFlow: real ones of TensorFlow 1 and 2, and bytes that no exporter writes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics.artifacts import inspect_model_dir, saved_models
from aip_magics.artifacts.facts import SavedModelFacts, Signature, Tensor
from aip_magics.artifacts.saved_models import protobuf_reader

NUMBERS = Tensor("x", "float32", (None, 2))


def varint(value: int) -> bytes:
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % (1 << 64))


def message(field: int, *parts: bytes | str) -> bytes:
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def tensor(name: str, dtype: int, *sizes: int) -> bytes:
    dims = [message(2, number(1, size)) for size in sizes]
    return message(1, name) + message(2, message(1, f"{name}:0"), number(2, dtype), message(3, *dims))


def graph(*ops: str, tags: tuple[str, ...] = ("serve",), constant: bytes = b"", asset: str = "") -> bytes:
    """A meta graph with these operations, one of them with a constant, and a signature."""
    nodes = [message(1, message(1, f"n{i}"), message(2, op), message(5, constant)) for i, op in enumerate(ops)]
    function = message(1, message(1, message(1, "f_1")), message(3, message(1, "inner"), message(2, "Inner")))
    signature = message(
        2, message(1, tensor("x", 1, -1, 2)), message(2, tensor("y", 9)), message(3, "tensorflow/serving/predict")
    )
    return message(
        2,
        message(1, *(message(4, tag) for tag in tags), message(5, "2.8.4")),
        message(2, *nodes, message(2, function)),
        message(5, message(1, "serving_default"), signature),
        *([message(6, message(2, asset))] if asset else []),
    )


@pytest.fixture(scope="session")
def exports(request: pytest.FixtureRequest) -> Path:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    made: Path = request.getfixturevalue("tensorflow_exports")
    return made


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., SavedModelFacts]:
    def write(*parts: bytes, name: str = "saved_model.pb") -> SavedModelFacts:
        (tmp_path / name).write_bytes(b"".join(parts))
        return saved_models.read(tmp_path / name)

    return write


def test_saved_models_read_exports_of_tensorflow_2(exports: Path) -> None:
    found = inspect_model_dir(exports / "numbers").saved_model
    assert found is not None
    assert (found.complete, found.serves, found.variables, found.missing) == (True, True, True, ())
    assert found.tensorflow_version is not None
    assert [one.name for one in found.signatures] == ["logarithm", "mixed", "serving_default", "sizes", "total"]
    assert found.signature() == Signature(
        "serving_default",
        (NUMBERS,),
        (Tensor("half", "float32", (None, 2)), Tensor("score", "float32", (None, 1))),
        "tensorflow/serving/predict",
    )
    mixed = found.signature("mixed")
    assert mixed is not None
    assert mixed.inputs == (Tensor("times", "int64", (None,)), Tensor("word", "string", (None,)))
    assert {"MatMul", "VarHandleOp", "StringJoin", "Log"} <= found.ops  # also of the functions
    assert not any(op.startswith("__inference") for op in found.ops)
    (twice,) = saved_models.read(exports / "words" / "saved_model.pb").signatures
    assert twice.name == "twice"
    assert saved_models.read(exports / "silent" / "saved_model.pb").signatures == ()
    keras = saved_models.read(exports / "keras" / "saved_model.pb").signature()
    assert keras is not None
    assert keras.inputs[0].shape == (None, 3)


def test_saved_models_read_exports_of_tensorflow_1_binary_and_text(exports: Path) -> None:
    simple = saved_models.read(exports / "simple" / "saved_model.pb").signature()
    assert simple is not None
    assert simple.inputs == (Tensor("bias", "float32", (None, 1)), NUMBERS)
    text = saved_models.read(exports / "text" / "saved_model.pbtxt")
    training = saved_models.read(exports / "training" / "saved_model.pb")
    assert (text.tags, training.tags, training.serves) == ((("serve",),), (("train",),), False)
    assert text.signatures == training.signatures  # the same graph, written in both forms
    assert text.ops == training.ops
    wrong = text.signature("wrong")
    assert wrong is not None
    assert wrong.inputs == (Tensor("x", "int64", (None, 2)),)


def test_saved_models_tell_what_is_missing(exports: Path, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes((exports / "numbers" / "saved_model.pb").read_bytes())
    found = saved_models.read(tmp_path / "saved_model.pb")
    assert (found.variables, found.missing) == (False, ("variables/variables.index",))
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").touch()
    found = saved_models.read(tmp_path / "saved_model.pb")
    assert (found.variables, found.missing) == (False, ("variables/variables.data-00000-of-00001",))


def test_saved_models_read_a_hand_written_graph(written: Callable[..., SavedModelFacts], tmp_path: Path) -> None:
    found = written(number(1, 1), graph("MatMul", "f_1", asset="단어.txt"), graph("Log", tags=("serve", "gpu")))
    assert found == SavedModelFacts(
        tags=(("serve",), ("serve", "gpu")),
        signatures=(
            Signature("serving_default", (NUMBERS,), (Tensor("y", "int64", ()),), "tensorflow/serving/predict"),
        ),
        tensorflow_version="2.8.4",
        ops=frozenset({"MatMul", "Inner"}),
        assets=("단어.txt",),
        missing=("assets/단어.txt",),
    )
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "단어.txt").touch()
    assert written(graph("MatMul", asset="단어.txt")).missing == ()
    assert written(graph("MatMul", asset="../../etc/passwd")).missing == ()


def test_saved_models_skip_constants_of_a_large_graph(
    written: Callable[..., SavedModelFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf_reader, "IN_MEMORY", 100)
    found = written(number(1, 1), graph("Const", "MatMul", constant=bytes(3_000_000)))
    assert found.complete
    assert found.ops == {"Const", "MatMul", "Inner"}
    assert found.signature() is not None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "contains no graph"),
        (number(1, 1), "contains no graph"),
        (b"some text, not a message", "corrupted"),
        (graph("A")[:-10], "truncated"),
        (varint(2 << 3 | 2) + varint(10 << 30) + b"x", "truncated"),
        (b"\xff" * 100, "corrupted"),
        pytest.param(message(2, number(9, 1) * 2_000_000), "inspection limit", marks=pytest.mark.slow),
    ],
    ids=["empty", "no graph", "text", "cut", "10 GB", "varint", "too much"],
)
def test_saved_models_reject_other_bytes(data: bytes, told: str, written: Callable[..., SavedModelFacts]) -> None:
    found = written(data)
    assert not found.complete
    assert told in found.unread


@pytest.mark.parametrize(
    "text", ["meta_graphs {", "}", "{", "a: [", 'a: "', "a" * 100, "b {" * 100, "meta_graphs: [{}]", "\x00", "a:"]
)
def test_pbtxt_reader_rejects_other_texts(text: str, written: Callable[..., SavedModelFacts]) -> None:
    found = written(text.encode(), name="saved_model.pbtxt")
    assert not found.complete
    assert found.unread


def test_pbtxt_reader_reads_other_forms_of_text(written: Callable[..., SavedModelFacts]) -> None:
    text = """# written by hand
    meta_graphs < meta_info_def: { tags: ["a"], tags: 'serve'; tensorflow_version: "1.\\x31\\065" }
      graph_def { node { name: "n" op: "MatMul" attr { key: "v" value { tensor { string_val: "\\"}" } } } } }
      signature_def { key: "s" value { inputs { key: "x" value { name: "x:0" dtype: DT_HALF tensor_shape {
        unknown_rank: true } } } inputs { key: "s" value { dtype: DT_STRING tensor_shape { dim { size: -1 } } } } } } >
    """
    found = written(text.encode(), name="saved_model.pbtxt")
    assert (found.tags, found.tensorflow_version, found.ops) == ((("a", "serve"),), "1.15", {"MatMul"})
    assert found.signatures[0].inputs == (Tensor("s", "string", (None,)), Tensor("x", "float16", None))


def test_saved_models_name_operations_of_later_releases() -> None:
    ops = {"MatMul", "DisableCopyOnRead", "MyOwnOp", "_Internal"}
    assert saved_models.lacking(ops, "2.11") == {"MyOwnOp": None}
    assert saved_models.lacking(ops, "2.8.4") == {"DisableCopyOnRead": "2.11", "MyOwnOp": None}
    assert saved_models.lacking(ops, "2.10") == {"MyOwnOp": None}  # 2.10 was not looked into: 2.11 has it
    assert saved_models.lacking(ops, "1.4") == {"DisableCopyOnRead": "2.11", "MyOwnOp": None}
    assert saved_models.lacking(ops, "3.0") == {}
    assert saved_models.lacking({"TensorForestTreePredict"}, "2.4") == {}
    assert set(saved_models.lacking({"TensorForestTreePredict"}, "2.5")) == {"TensorForestTreePredict"}
    with pytest.raises(ValueError, match="no release"):
        saved_models.lacking(ops, "new")


def test_graph_ops_know_every_operation_of_this_tensorflow(exports: Path) -> None:
    version = importlib.import_module("importlib.metadata").version("tensorflow")
    for folder in ("numbers", "keras", "simple", "endless"):
        facts = saved_models.read(exports / folder / "saved_model.pb")
        assert saved_models.lacking(facts.ops, version) == {}, folder


WHOLE = number(1, 1) + graph("MatMul", "Const", constant=b"12345", asset="a.txt")


@settings(max_examples=up_to(150), deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_saved_models_answer_every_mutated_file(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: bytes, cut: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.pb"
    path.write_bytes(WHOLE[:at] + change + (b"" if cut else WHOLE[at + len(change) :]))
    found = saved_models.read(path)
    assert found.complete or found.unread


@settings(max_examples=up_to(150), deadline=None)
@given(st.text(alphabet="ab_1{}<>[]:;,\"'\\# \n", max_size=60))
def test_pbtxt_reader_answers_any_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pbtxt"
    path.write_text("meta_graphs {} " + text)
    found = saved_models.read(path)
    assert found.complete or found.unread

"""Cases of rules about the graph of a SavedModel: variables, Python functions, and what its inputs take."""

from __future__ import annotations

import dataclasses

from rule_cases_models import X, saved, signature, tensor

from aip_magics.trust import Trust, digest


def node(name, op, *inputs, functions=""):
    given = " ".join(f'input: "{one}"' for one in inputs)
    return f'node {{ name: "{name}" op: "{op}" {given} {functions} }} '


def calls(function):
    return f'attr {{ key: "f" value {{ func {{ name: "{function}" }} }} }}'


def with_graph(d, nodes, *, library="", more="", inputs=(X,)):
    """A SavedModel of these nodes, with all its variables in place, that answers with the tensor y:0."""
    folder = saved(d, signature(inputs=inputs))
    path = folder / "saved_model.pbtxt"
    text = path.read_text()
    start = text.index(" graph_def {")
    text = (
        f"{text[:start]} graph_def {{ {nodes} library {{ {library} }} }} {more} {text[text.index('signature_def') :]}"
    )
    path.write_text(text)
    (folder / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).write_bytes(b"x")
    return folder


def variable(d, *, restored):
    nodes = node("v", "VarHandleOp") + node("read", "ReadVariableOp", "v") + node("y", "Identity", "read")
    nodes += node("value", "RestoreV2") + node("assign", "AssignVariableOp", "v", "value")
    nodes += node("restore", "NoOp", *(["^assign"] if restored else []))
    return with_graph(d, nodes, more='saver_def { restore_op_name: "restore" }')


def trusted(context):
    files = {digest(file.path): file.size for file in context.model_dir.files}
    return dataclasses.replace(context, trust=Trust(files=files))


def scalar(d, op):
    nodes = node("x", "Placeholder") + node("k", op) + node("y", "Mul", "x", "k")
    return with_graph(d, nodes, inputs=(X, tensor("k", shape=())))


def fixed(d, size):
    return with_graph(d, node("x", "Placeholder") + node("y", "Mul", "x", "x"), inputs=(tensor("x", shape=(size, 2)),))


def composite(d, kind):
    nodes = node("x", "Placeholder") + node(
        "y", "PartitionedCall", "x", functions=calls("__inference_signature_wrapper_f")
    )
    inner = f'node_def {{ name: "c" op: "PartitionedCall" {calls("__inference_f")} }}'
    library = f'function {{ signature {{ name: "__inference_signature_wrapper_f" }} {inner} }}'
    value = f'tuple_value {{ values {{ type_spec_value {{ type_spec_class_name: "{kind}" }} }} }}'
    arguments = f"tuple_value {{ values {{ {value} }} }}"
    function = f'key: "__inference_f" value {{ canonicalized_input_signature {{ {arguments} }} }}'
    more = f"object_graph_def {{ concrete_functions {{ {function} }} }}" if kind else ""
    return with_graph(d, nodes, library=library, more=more)


CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    (
        "D11",
        "error",
        "Saver()",
        lambda d: d(variable(d, restored=False)),
        lambda d: d(variable(d, restored=True)),
    ),
    (
        "D12",
        "error",
        "custom prediction routine",
        lambda d: trusted(d(with_graph(d, node("y", "PyFunc", "x")))),
        lambda d: trusted(d(with_graph(d, node("y", "ReadFile", "x")))),
    ),
    (
        "R22",
        "error",
        "tf.TensorSpec([None], tf.float32) for the input k",
        lambda d: d(scalar(d, "Placeholder")),
        lambda d: d(scalar(d, "PlaceholderWithDefault")),
    ),
    (
        "R22",
        "warning",
        "tf.TensorSpec([None, 2], tf.float32) for the input x",
        lambda d: d(fixed(d, 3)),
        lambda d: d(fixed(d, -1)),
    ),
    (
        "R23",
        "error",
        "tf.RaggedTensor.from_tensor",
        lambda d: d(composite(d, "RaggedTensorSpec")),
        lambda d: d(composite(d, "")),
    ),
]

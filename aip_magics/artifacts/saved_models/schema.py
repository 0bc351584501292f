"""The few fields of TensorFlow's protocol buffers that are looked at, by number (binary) and by name (text).

Source: `tensorflow/core/protobuf/saved_model.proto`, `meta_graph.proto`, and in `tensorflow/core/framework`
`graph.proto`, `function.proto`, `node_def.proto`, `op_def.proto`, `types.proto`. Numbers never change their meaning.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, TypeAlias

Tree: TypeAlias = "dict[str, list[Any]]"  # field → its values, in their order


@dataclasses.dataclass(frozen=True)
class Field:
    """A field: its number and name; a text, a number, or a message."""

    number: int
    name: str
    message: Message | None = None
    is_text: bool = True


@dataclasses.dataclass(frozen=True)
class Message:
    """The fields that are looked at; all others are passed over. With `only`, the message stands for that one field."""

    fields: tuple[Field, ...]
    only: str | None = None

    @functools.cached_property
    def by_number(self) -> dict[int, Field]:
        return {field.number: field for field in self.fields}

    @functools.cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}


def _number(number: int, name: str) -> Field:
    return Field(number, name, is_text=False)


def _map(number: int, name: str, value: Message) -> Field:
    return Field(number, name, Message((Field(1, "key"), Field(2, "value", value))))


_NODE = Message((Field(2, "op"),), only="op")
_OP_NAME = Message((Field(1, "name"),), only="name")
_FUNCTION = Message((Field(1, "signature", _OP_NAME), Field(3, "node_def", _NODE)))
_GRAPH = Message((Field(1, "node", _NODE), Field(2, "library", Message((Field(1, "function", _FUNCTION),)))))
_SHAPE = Message((Field(2, "dim", Message((_number(1, "size"),))), _number(3, "unknown_rank")))
_TENSOR = Message((Field(1, "name"), _number(2, "dtype"), Field(3, "tensor_shape", _SHAPE)))
_SIGNATURE = Message((_map(1, "inputs", _TENSOR), _map(2, "outputs", _TENSOR), Field(3, "method_name")))
_OPS = Message((Field(1, "op", _OP_NAME),))
_META_INFO = Message((Field(2, "stripped_op_list", _OPS), Field(4, "tags"), Field(5, "tensorflow_version")))
_META_GRAPH = Message(
    (
        Field(1, "meta_info_def", _META_INFO),
        Field(2, "graph_def", _GRAPH),
        _map(5, "signature_def", _SIGNATURE),
        Field(6, "asset_file_def", Message((Field(2, "filename"),))),
    )
)
SAVED_MODEL = Message((_number(1, "saved_model_schema_version"), Field(2, "meta_graphs", _META_GRAPH)))

DTYPES = dict(
    enumerate(
        """float32 float64 int32 uint8 int16 int8 string complex64 int64 bool qint8 quint8 qint32 bfloat16 qint16
        quint16 uint16 complex128 float16 resource variant uint32 uint64 float8_e5m2 float8_e4m3fn float8_e4m3fnuz
        float8_e4m3b11fnuz float8_e5m2fnuz int4 uint4 int2 uint2""".split(),  # noqa: SIM905
        start=1,
    )
)
# As the text format spells those that are not `DT_` and the name in capitals.
SPELLED = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}

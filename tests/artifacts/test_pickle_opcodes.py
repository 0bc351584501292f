"""The opcodes at the beginning of bytes that may be no pickle at all."""

from __future__ import annotations

import pickle
import warnings

from hypothesis import example, given
from hypothesis import strategies as st

from aip_magics.artifacts import pickles


def test_opcodes_are_those_of_a_pickle() -> None:
    names = [name for name, _argument in pickles.opcodes(pickle.dumps(1, protocol=2))]
    assert names == ["PROTO", "BININT1", "STOP"]


@given(st.binary())
@example(b"S'\\N'\n.")  # an escape sequence that Python warns of
def test_opcodes_of_any_bytes_end_without_an_error_or_a_warning(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, _argument in pickles.opcodes(data):
            assert name.isupper() or "_" in name or name.isalnum()

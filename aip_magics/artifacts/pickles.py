"""What the bytes of a pickle say, without unpickling: its protocol, the class of its object, the scikit-learn version.

Only the opcodes before the first object are decoded (`pickletools.genops`): further on, joblib puts raw array bytes
between the opcodes, on which the decoder stops.
"""

from __future__ import annotations

import pickletools
import re
import warnings
from collections.abc import Iterator

# How a protocol writes the text after the key: memo opcode of the key, then the string opcode with its length.
_SKLEARN_VERSION = re.compile(
    rb"_sklearn_version(?:\x94|q.|r....|\np\d+\n)?"
    rb"(?:\x8c(?P<short>.)|X(?P<long>...\0)|\n?V)(?P<version>\d[0-9A-Za-z.+]{0,40})",
    re.DOTALL,
)
# Modules of functions that rebuild an object: the class they rebuild is named next.
_REBUILDERS = frozenset({"copy_reg", "copyreg", "cloudpickle.cloudpickle", "cloudpickle", "functools", "_codecs"})
# Opcodes that begin a literal object.
_LITERALS = {
    "EMPTY_DICT": "dict",
    "EMPTY_LIST": "list",
    "EMPTY_SET": "set",
    "NONE": "NoneType",
    "NEWTRUE": "bool",
    "NEWFALSE": "bool",
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), "int"),
    **dict.fromkeys(("FLOAT", "BINFLOAT"), "float"),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), "bytes"),
}
_PASSED_OVER = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "MARK", "POP"})


def looks_like_pickle(head: bytes) -> bool:
    """Whether these first bytes begin a pickle: the protocol opcode, or a global or mark of protocol 0 and 1."""
    if head[:1] == b"\x80":
        return len(head) > 1 and head[1] <= 5
    return re.match(rb"c[\w.]+\n\w+\n|\(c[\w.]+\n|\([dl](?:p\d+\n|q)|[}\]](?:q|\.)|I\d+\n\.|K.\.", head) is not None


def protocol_of(head: bytes) -> int:
    """The pickle protocol. Protocols 0 and 1 have no mark in the file: 0 stands for both."""
    return head[1] if head[:1] == b"\x80" else 0


def top_of(head: bytes) -> str | None:
    """Dotted name of the class of the pickled object (`sklearn.svm._classes.SVC`), or None where it cannot be told."""
    texts: list[str] = []
    for name, argument in opcodes(head):
        if name in ("GLOBAL", "STACK_GLOBAL"):
            parts = str(argument).split(" ", 1) if name == "GLOBAL" else texts[-2:]
            if len(parts) < 2:
                return None
            if parts[0] not in _REBUILDERS:
                return ".".join("builtins" if part == "__builtin__" else part for part in parts)
            texts = []
        elif "UNICODE" in name or name.endswith("STRING"):
            texts.append(str(argument))
        elif name == "STOP":
            return "builtins.str" if texts else None
        elif name in _LITERALS:
            return f"builtins.{_LITERALS[name]}"
        elif name not in _PASSED_OVER:
            return None
    return None


def sklearn_version(data: bytes) -> str | None:
    """The scikit-learn version that wrote a pickle, if this piece of it has the first mention."""
    if b"_sklearn_version" not in data:
        return None
    match = _SKLEARN_VERSION.search(data)
    if match is None:
        return None
    text = match["version"]
    if match["short"]:
        text = text[: match["short"][0]]
    elif match["long"]:
        text = text[: int.from_bytes(match["long"], "little")]
    return text.decode("ascii")


def opcodes(head: bytes) -> Iterator[tuple[str, object]]:
    """The opcodes at the beginning of bytes, each with its argument, as far as the bytes are a pickle."""
    found = pickletools.genops(head)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escape sequences in what only looks like a string
                opcode, argument, _ = next(found)
        except Exception:  # noqa: BLE001 - the bytes are anyone's: whatever the decoder stumbles over ends the look
            return
        yield opcode.name, argument

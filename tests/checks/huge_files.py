"""Files with a million of something: model directories, packages, test requests."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MILLION = 10**6
PROTO = b"\x80\x04"


def _model(data: bytes, name: str = "model.pkl") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return write


def _each(pattern: bytes, count: int = MILLION) -> bytes:
    return b"".join([pattern % number for number in range(count)])


# pickles
def _text(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


def pickle(body: bytes, name: str = "model.pkl") -> Callable[[Path], None]:
    return _model(PROTO + body, name)


def huge_shape() -> Callable[[Path], None]:
    """An array whose shape is a million numbers of 2,000 bits: their product takes for ever."""
    number = b"\x8a\xff" + b"\x7f" * 255
    head = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + _text("dtype") + b"cnumpy\ndtype\n" + _text("u1")
    return pickle(head + b"\x85R" + _text("shape") + number + b"\x94(" + b"h\0" * MILLION + b"tub.", "model.joblib")


# boosters
def _key(word: str) -> bytes:
    return b"L" + struct.pack(">q", len(word)) + word.encode()


def ubjson(names: bytes, param: bytes) -> Callable[[Path], None]:
    body = b"{" + _key("learner") + b"{" + _key("feature_names") + names + _key("learner_model_param") + param
    return _model(body + b"}}", "model.bst")


# SavedModels
def _varint(number: int) -> bytes:
    low = bytes([number & 127 | (128 if number > 127 else 0)])
    return low + _varint(number >> 7) if number > 127 else low


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _fields(number: int, each: Iterable[bytes]) -> bytes:
    return b"".join([_field(number, data) for data in each])


def saved_model(graph: bytes) -> Callable[[Path], None]:
    info = _field(1, _field(4, b"serve") + _field(5, b"2.11.0"))
    return _model(b"\x08\x01" + _field(2, info + graph), "saved_model.pb")


def _numbered(pattern: bytes, count: int = MILLION) -> Iterator[bytes]:
    return (pattern % number for number in range(count))


def tensors(count: int) -> bytes:
    shape = _field(3, _field(2, b"\x08\x02"))
    inner = [_field(1, name) + _field(2, _field(1, b"x:0") + b"\x10\x01" + shape) for name in _numbered(b"t%d", count)]
    return _field(5, _field(1, b"s") + _field(2, _fields(1, inner)))


def as_text(body: bytes) -> Callable[[Path], None]:
    return _model(b"meta_graphs { " + body + b"}", "saved_model.pbtxt")


# directories
def many(make: Callable[[Path], object], pattern: str, count: int) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for number in range(count):
            make(folder / (pattern % number))

    return fill


def touch(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def bombs(folder: Path) -> None:
    """Files that may be boosters, each of which unpacks to 16 MiB."""
    data = gzip.compress(bytes(1 << 24))
    for number in range(500):
        (folder / f"{number}.bin").write_bytes(data)


MODELS: dict[str, Callable[[], Callable[[Path], None]]] = {
    "modules": lambda: pickle(_each(b"cmodule%d\nf\n0", 2000) + b"N."),
    "a million modules": lambda: pickle(_each(b"cm%x\nf\n0") + b"N."),
    "globals": lambda: pickle(_each(b"cm\n%x\n0") + b"N."),
    "names of main": lambda: pickle(_each(b"c__main__\n%x\n0", 400_000) + b"N."),
    "the same global": lambda: pickle(_text("m") + b"\x94" + _text("n") + b"\x94" + b"h\0h\1\x93" * MILLION + b"."),
    "memo": lambda: pickle(b"N" + b"\x94" * MILLION + b"."),
    "nested tuples": lambda: pickle(b")" + b"\x85" * MILLION + b"."),
    "doubling tuples": lambda: pickle(b")" + b"\x94h\0\x86" * (MILLION // 2) + b"."),
    "lists": lambda: pickle(b"]" * MILLION + b"."),
    "dictionaries": lambda: pickle(b"}" * MILLION + b"."),
    "marks": lambda: pickle(b"(" * MILLION + b"."),
    "calls": lambda: pickle(b"ca\nb\n" + b")R" * MILLION + b"."),
    "members": lambda: pickle(b"}(" + b"".join([_text(f"{n:x}") + b"N" for n in range(MILLION)]) + b"u."),
    "a long number": lambda: pickle(b"\x8b" + struct.pack("<i", 7 << 20) + b"\x7f" * (7 << 20) + b"."),
    "a shape": lambda: huge_shape(),
    "a gzip bomb": lambda: _model(gzip.compress(PROTO + bytes(1 << 28)), "model.joblib"),
    "an xz bomb": lambda: _model(lzma.compress(PROTO + b"N" + b"\x94" * MILLION + bytes(1 << 27), preset=0), "model.joblib"),
    "a bz2 bomb": lambda: _model(bz2.compress(bytes(1 << 27)), "model.joblib"),
    "names in JSON": lambda: _model(b'{"learner":{"feature_names":[' + _each(b'"f%d",') + b'0]},"version":[1,6,0]}', "model.bst"),
    "nested JSON": lambda: _model(b'{"learner":{"feature_names":' + b"[" * MILLION + b',"objective":' + b"[" * MILLION, "model.bst"),
    "nested UBJSON": lambda: ubjson(b"[" * MILLION, (b"{L" + struct.pack(">q", 1) + b"a") * 100_000),
    "wide UBJSON": lambda: ubjson(b"[#L" + struct.pack(">q", MILLION) + b"Z" * MILLION, b"{" + _key("a") + b"[#L\0\0\0\0\0\x0b\0\0" + b"Z" * 720_896),
    "empty UBJSON": lambda: ubjson(b"[]", b"[" + b"[#U\0" * 250_000 + b"]"),
    "ops": lambda: saved_model(_field(2, _fields(1, map(lambda op: _field(2, op), _numbered(b"Op%d"))))),
    "the same op": lambda: saved_model(_field(2, _field(1, _field(2, b"Add")) * MILLION)),
    "functions": lambda: saved_model(_field(2, _field(2, _fields(1, (_field(1, _field(1, name)) for name in _numbered(b"f%d", 400_000)))))),
    "signatures": lambda: saved_model(_fields(5, (_field(1, name) + _field(2, _field(3, b"m")) for name in _numbered(b"s%d")))),
    "tensors": lambda: saved_model(tensors(150_000)),
    "tags": lambda: saved_model(_field(1, _fields(4, _numbered(b"s%d")))),
    "assets": lambda: saved_model(_fields(6, (_field(2, name) for name in _numbered(b"a%d")))),
    "nodes as text": lambda: as_text(b"graph_def {" + _each(b'node{op:"O%d"}', 400_000) + b"}"),
    "messages as text": lambda: as_text(b"graph_def{" * 700_000),
    "signatures as text": lambda: as_text(_each(b'signature_def{key:"%d" value{method_name:"a"}}', 150_000)),
    "a long text": lambda: as_text(b'meta_info_def { tags: "' + b"\\001" * 1_900_000 + b'"}'),
    "quotes in a text": lambda: as_text(b'meta_info_def { tags: "' + b'\\"' * 3_900_000 + b'"}'),
    "hidden files": lambda: many(touch, ".%d", 100_001),
    "files": lambda: many(touch, "%d", 20_001),
    "folders": lambda: many(Path.mkdir, "%d", 100_001),
    "bombs": lambda: bombs,
}  # fmt: skip


def _zip(folder: Path, name: str, count: int) -> Path:
    """A zip with nothing but the directory of its members."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"m"
    size = count * len(entry)
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
    end = struct.pack("<4sIQI", b"PK\6\7", 0, size, 1) + struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0
    )
    path = folder / name
    path.write_bytes(entry * count + end64 + end)
    return path


def _tar(folder: Path, name: str, members: Iterable[tarfile.TarInfo]) -> Path:
    path = folder / name
    with gzip.open(path, "wb", compresslevel=1) as file:
        for member in members:
            file.write(member.tobuf(tarfile.PAX_FORMAT))
            for _ in range(member.size >> 24):
                file.write(bytes(1 << 24))
    return path


def _member(name: str, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


PACKAGES: dict[str, Callable[[Path], Path]] = {
    "members of a zip": lambda folder: _zip(folder, "many-1.0.zip", MILLION),
    "members of a wheel": lambda folder: _zip(folder, "many-1.0-py3-none-any.whl", 300_000),
    "members of a tar": lambda folder: _tar(folder, "many-1.0.tar.gz", (_member(f"m/{n}") for n in range(100_000))),
    "folders of a member": lambda folder: _tar(folder, "deep-1.0.tar.gz", [_member("/".join("a" * 250_000))]),
    "bytes of a tar": lambda folder: _tar(folder, "big-1.0.tar.gz", (_member(f"b/{n}", 1 << 28) for n in range(8))),
}

REQUESTS: dict[str, Callable[[], bytes]] = {
    "nested lists": lambda: b'{"instances":[' + b"[" * MILLION + b"]" * MILLION + b"]}",
    "instances": lambda: b'{"instances":[' + b"[1,2]," * (MILLION - 1) + b"[1,2]]}",
    "members of an instance": lambda: b'{"instances":[{' + _each(b'"k%d":1,', MILLION // 2) + b'"k":1}]}',
    "members of the request": lambda: b'{"instances":[[1]],' + _each(b'"k%d":1,', MILLION // 2) + b'"k":1}',
}  # fmt: skip

"""What a model file says about itself, read as bytes: nothing is unpickled, nothing of the model is imported.

`read` looks at the first bytes for the format, then lets the reader of that format tell the facts. A pickle that cannot
be read to its end is searched for what the libraries write into it: scikit-learn puts `_sklearn_version` into the state
of every estimator, XGBoost a `version` of three numbers into its JSON and UBJSON (also where a pickle holds a booster).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from aip_magics.artifacts import boosters, other_formats, pickle_globals, pickles
from aip_magics.artifacts.bounded_reader import BoundedReader, Unpacked
from aip_magics.artifacts.decompression import Compression, chunks, compression_of
from aip_magics.artifacts.facts import BoosterFacts, BoosterFormat, PickleFacts
from aip_magics.artifacts.other_formats import OtherFormat
from aip_magics.i18n import gettext as _

Format = (
    Literal["pickle", "xgboost-ubjson", "xgboost-json", "xgboost-binary", "git-lfs-pointer", "html", "empty", "unknown"]
    | OtherFormat
)
_BOOSTERS: Mapping[Format, BoosterFormat] = {
    "xgboost-ubjson": "ubjson",
    "xgboost-json": "json",
    "xgboost-binary": "binary",
}
_HEAD = 64 * 1024
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head)", re.IGNORECASE)
_XHTML = re.compile(rb"\s*<\?xml[^>]{0,200}\?>\s*<(?:!doctype html|html)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class ModelFileInfo:
    """What is known of a model file without loading it.

    `pickle` is set for a pickle or joblib file, `booster` for a file of XGBoost; any other format is no model, and
    `base64` may be the text of one. `complete` is False where only a part was read: `unread` then says why.
    """

    format: Format
    compression: Compression | None = None
    pickle: PickleFacts | None = None
    booster: BoosterFacts | None = None
    complete: bool = True
    unread: str = ""

    @property
    def libraries(self) -> Mapping[str, str]:
        """Distribution → the version that wrote the file."""
        if self.booster and self.booster.version:
            return {"xgboost": self.booster.version}
        return self.pickle.libraries if self.pickle else {}

    @property
    def protocol(self) -> int | None:
        """Of a pickle: its protocol."""
        return self.pickle.protocol if self.pickle else None

    @property
    def top(self) -> str | None:
        """Of a pickle: the dotted name of the class of its object, None where it cannot be told."""
        return self.pickle.top if self.pickle else None


def read(path: Path) -> ModelFileInfo:
    """Inspect a model file: parts of a large one, at most `decompression.WINDOW` of a compressed one.

    A file that cannot be opened, or is corrupted, raises no error: `complete` is False and `unread` says why.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if not head:
            return ModelFileInfo("empty")
        if compression := compression_of(head):
            return _packed(path, compression)
        format = format_of(head)
        if format == "pickle":
            return _plain_pickle(path, head)
    except OSError as error:
        unread = _("file could not be read: {reason}", reason=error.strerror or str(error))
        return ModelFileInfo("unknown", complete=False, unread=unread)
    if format not in _BOOSTERS:
        return ModelFileInfo(format)
    booster = boosters.read(path, _BOOSTERS[format])
    return ModelFileInfo(format, booster=booster, complete=booster.complete, unread=booster.unread)


def format_of(head: bytes) -> Format:
    """The format of a file by its first bytes, 200 of them at least; `unknown` for compressed ones, too."""
    if not head:
        return "empty"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "git-lfs-pointer"
    if _HTML.match(head) or _XHTML.match(head):
        return "html"
    if other := other_formats.by_magic(head):
        return other
    if head.startswith(b"{L"):
        return "xgboost-ubjson"
    if re.match(rb'\{\s*"learner"', head) or re.match(rb'\{\s*"version"\s*:\s*\[[\d,\s]+\],\s*"learner"', head):
        return "xgboost-json"
    if pickles.looks_like_pickle(head):
        return "pickle"
    if head.startswith(b"binf") or boosters.looks_like_binary(head):
        return "xgboost-binary"
    return other_formats.by_text(head) or "unknown"


def _plain_pickle(path: Path, head: bytes) -> ModelFileInfo:
    with path.open("rb") as file:
        found = pickle_globals.read_from(BoundedReader(file))
    unread = ""
    libraries = dict(found.libraries)
    if not found.complete:
        stream = chunks(path, None)
        for chunk in stream:
            _search(chunk, libraries)
        unread = stream.unread
    return _pickle(head, None, found, libraries, unread)


def _packed(path: Path, compression: Compression) -> ModelFileInfo:
    """The contents of a compressed file: all pieces are searched while the pickle is read, and what is left of them."""
    libraries: dict[str, str] = {}
    head = b""

    def see(chunk: bytes) -> None:
        nonlocal head
        head = head or chunk[:_HEAD]
        _search(chunk, libraries)

    stream = chunks(path, compression)
    unpacked = Unpacked(stream, see)
    found = pickle_globals.read_from(BoundedReader(unpacked))
    if not found.complete:
        unpacked.drain()
    if not pickles.looks_like_pickle(head):
        format: Format = "tar" if other_formats.is_tar(head) else "unknown"
        return ModelFileInfo(format, compression, complete=not stream.unread, unread=stream.unread)
    return _pickle(head, compression, found, {**libraries, **found.libraries}, stream.unread)


def _pickle(
    head: bytes,
    compression: Compression | None,
    found: pickle_globals.PickleGlobals,
    libraries: Mapping[str, str],
    unread: str,
) -> ModelFileInfo:
    if found.complete:
        unread = ""
    elif not unread:
        unread = _("the pickle is corrupted, truncated or too large to inspect completely")
    facts = PickleFacts(
        protocol=pickles.protocol_of(head),
        globals=found.found,
        top=found.top if found.complete else pickles.top_of(head),
        libraries=libraries,
        main_names=found.of_main,
        feature_names=found.feature_names,
        root=found.root,
        complete=found.complete,
        unread=unread,
    )
    return ModelFileInfo("pickle", compression, facts, complete=found.complete, unread=unread)


def _search(chunk: bytes, libraries: dict[str, str]) -> None:
    """Add the versions that this piece of a file is the first to mention."""
    if "scikit-learn" not in libraries and (version := pickles.sklearn_version(chunk)):
        libraries["scikit-learn"] = version
    if "xgboost" not in libraries and (version := boosters.version_in(chunk)):
        libraries["xgboost"] = version

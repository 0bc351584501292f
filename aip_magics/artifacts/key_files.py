"""Find private keys and credentials among the files of a model directory, by their names and first bytes."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path, PurePosixPath

_MAX_SIZE = 64 * 1024  # bytes; keys and service accounts have a few thousand
_MIN_SIZE = 32
_HEAD = 8 * 1024  # bytes that are read of a file
# What software writes into files of these names is a secret, whatever it looks like.
_NAMES = (
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.env",
    "_netrc",
    "credentials.json",
    "application_default_credentials.json",
    "client_secret*.json",
    "kaggle.json",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
)
_NAME = re.compile("|".join(map(fnmatch.translate, _NAMES)))  # one expression: a directory may have 20,000 files
# Directories of a SavedModel, which holds files of any name; there, only the contents decide.
_MODEL_DIRS = ("assets/", "assets.extra/", "variables/")
# Large groups of files that hold no text, which are not opened.
_BINARY = frozenset(
    """.arrow .avro .bin .bmp .bst .bz2 .feather .gif .gz .h5 .hdf5 .index .jpeg .jpg .joblib .keras .npy .npz .onnx
    .parquet .pb .pbtxt .pickle .pkl .png .pt .pth .so .tfrecord .tflite .wav .webp .whl .xz .zip""".split()  # noqa: SIM905
)
# A header alone, as in code that looks for one, is no key: encoded data has to follow.
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\\+[nr]|\s*[A-Za-z0-9+/])")
_JSON = re.compile(rb"\s*\{.*?\"(?:private_key|client_secret|refresh_token)\"\s*:\s*\"[^\"]", re.DOTALL)


def is_key(name: str, path: Path, size: int) -> bool:
    """Whether a file is a private key or holds credentials. `name` is relative to the model directory, with `/`.

    At most 8 KiB of files of at most 64 KiB are read. Model files and certificates are no keys.
    """
    if size == 0:
        return False
    base = PurePosixPath(name).name.lower()
    if not name.startswith(_MODEL_DIRS) and _NAME.match(base):
        return True
    if not _MIN_SIZE <= size <= _MAX_SIZE or PurePosixPath(base).suffix in _BINARY:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return _PEM.search(head) is not None or _JSON.match(head) is not None

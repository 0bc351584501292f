"""Read the facts of an XGBoost model file: binary, JSON or UBJSON, of every XGBoost since 0.6.

The text formats have the trees in the middle: names and attributes come before them, the parameters, the objective and
the version after them. So only the two ends of a large file are read, and a model of gigabytes takes as long as a small
one. If a key is both inside the trees and after them, the last one counts.
"""

from __future__ import annotations

import collections
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aip_magics.artifacts.facts import BoosterFacts, BoosterFormat
from aip_magics.artifacts.ubjson import Reader
from aip_magics.i18n import gettext as _

END = 1024 * 1024  # bytes read of either end
_UBJSON_VERSION = re.compile(rb"L\0\0\0\0\0\0\0\x07version\[#L\0\0\0\0\0\0\0\x03((?:[iU].|I..|l....){3})", re.DOTALL)
_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*\]')
# LearnerModelParam: base_score, num_feature, num_class, contain_extra_attrs, contain_eval_metrics, the version in two
# numbers since 1.0 (zero before); 136 bytes in all. After it the names of objective and booster, each with its length.
_PARAM = struct.Struct("<fIiiiII")
_PARAM_SIZE = 136
_MAX_NAME_CHARS = 100
_MAX_ATTEMPTS = 5  # mentions of a key that are read: a malicious file may have a million
_Find = Callable[[bytes, str], Any]


def read(path: Path, format: BoosterFormat) -> BoosterFacts:
    """Inspect a model file of this format. `complete` is False if a part is corrupted or missing."""
    try:
        with path.open("rb") as file:
            head = file.read(END)
            size = file.seek(0, 2)
            file.seek(max(size - END, 0) if size > 2 * END else len(head))
            tail = file.read(END)
    except OSError as error:
        return BoosterFacts(format, complete=False, unread=_("file could not be read: {reason}", reason=error.strerror))
    if format == "binary":
        return _binary(head)
    whole = size <= 2 * END
    return _text(format, head + tail if whole else head, head + tail if whole else tail)


def looks_like_binary(head: bytes) -> bool:
    """Whether these first bytes are the binary format, which has no magic number before XGBoost 1.0."""
    return _binary(head).objective is not None


def version_in(data: bytes) -> str | None:
    """Return the XGBoost version of a booster in JSON or UBJSON, also inside a pickle, if these bytes have it."""
    # find() is many times faster than a regular expression over megabytes that do not have it.
    if b"version" not in data:
        return None
    if match := _UBJSON_VERSION.search(data):
        reader = Reader(match.group(1))
        return ".".join(str(reader.value()) for _unused in range(3))
    if match := _JSON_VERSION.search(data):
        return b".".join(match.groups()).decode()
    return None


def feature_names_in(data: bytes) -> tuple[str, ...]:
    """Return the feature names of a booster in JSON or UBJSON, as a pickle holds it; empty without names."""
    find = _json_value if re.match(rb'\{\s*"', data) else _ubjson_value
    names = find(data, "feature_names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _text(format: BoosterFormat, head: bytes, tail: bytes) -> BoosterFacts:
    find: _Find = _json_value if format == "json" else _ubjson_value
    names = find(head, "feature_names")
    param = find(tail, "learner_model_param")
    objective = find(tail, "objective")
    version = find(tail, "version")
    param = param if isinstance(param, dict) else {}
    features = str(param.get("num_feature", ""))
    base_score = param.get("base_score")
    objective = objective.get("name") if isinstance(objective, dict) else None
    attributes = find(head, "attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    complete = bool(param) and objective is not None
    return BoosterFacts(
        format,
        version=".".join(map(str, version)) if _is_version(version) else None,
        objective=objective if isinstance(objective, str) else None,
        features=_count(features),
        feature_names=tuple(map(str, names)) if isinstance(names, list) else (),
        base_score=None if base_score is None else str(base_score),
        rounds=_rounds(find, head, param, attributes),
        best_iteration=_count(attributes.get("best_iteration")),
        estimator_type=_estimator_type(attributes.get("scikit_learn")),
        complete=complete,
        unread="" if complete else _("file is corrupted or truncated: it does not end with its parameters"),
    )


def _rounds(find: _Find, head: bytes, param: dict[str, Any], attributes: dict[str, Any]) -> int | None:
    """Return the number of boosting rounds of a tree booster; it stands before the trees."""
    starts = find(head, "iteration_indptr")  # the first tree of each round, and the number of trees; since XGBoost 2
    if isinstance(starts, list) and starts:
        return len(starts) - 1
    trees = find(head, "gbtree_model_param")
    if not isinstance(trees, dict):
        return None
    all_trees, parallel = _count(trees.get("num_trees")), _count(trees.get("num_parallel_tree"))
    best, limit = _count(attributes.get("best_iteration")), _count(attributes.get("best_ntree_limit"))
    if parallel is None and best is not None and limit is not None:
        parallel = limit // (best + 1)  # XGBoost before 1.6 tells it in no other place
    groups = max(_count(param.get("num_class")) or 1, 1) * max(_count(param.get("num_target")) or 1, 1)
    return all_trees // (parallel * groups) if all_trees is not None and parallel else None


def _count(value: Any) -> int | None:
    return int(value) if re.fullmatch(r"\d{1,10}", str(value)) else None


def _estimator_type(written: Any) -> str:
    try:
        found = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return ""
    kind = found.get("_estimator_type") if isinstance(found, dict) else None
    return kind if kind in ("classifier", "regressor", "ranker") else ""


def _is_version(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(number, int) for number in value)


def _json_value(data: bytes, key: str) -> Any:
    """Return the value of the last mention of a key; None if there is none or it is corrupted."""
    matches = collections.deque(re.finditer(rb'"%s"\s*:\s*' % key.encode(), data), maxlen=_MAX_ATTEMPTS)
    for match in reversed(matches):
        try:
            text = data[match.end() : match.end() + END].decode("utf-8", "replace")
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _ubjson_value(data: bytes, key: str) -> Any:
    written = key.encode()
    mark = b"L" + struct.pack(">q", len(written)) + written
    at = len(data)
    for _unused in range(_MAX_ATTEMPTS):
        at = data.rfind(mark, 0, at)
        if at < 0:
            break
        try:
            return Reader(data, at + len(mark)).value()
        except ValueError:
            continue
    return None


def _binary(head: bytes) -> BoosterFacts:
    at = 4 if head.startswith(b"binf") else 0
    damaged = BoosterFacts("binary", complete=False, unread=_("file is corrupted or truncated"))
    if len(head) < at + _PARAM_SIZE:
        return damaged
    base_score, features, _unused, _unused, _unused, major, minor = _PARAM.unpack_from(head, at)
    objective = _name_at(head, at + _PARAM_SIZE)
    booster = _name_at(head, at + _PARAM_SIZE + 8 + len(objective or ""))
    if objective is None or booster not in ("gbtree", "gblinear", "dart"):
        return damaged
    version = f"{major}.{minor}" if 0 < major < 100 and minor < 1000 else None
    return BoosterFacts("binary", version, objective, features, base_score=f"{base_score:.7g}")


def _name_at(data: bytes, at: int) -> str | None:
    size = int.from_bytes(data[at : at + 8], "little")
    name = data[at + 8 : at + 8 + size] if 0 < size <= _MAX_NAME_CHARS else b""
    return name.decode("ascii") if re.fullmatch(rb"[a-z][a-z0-9_:@.]*", name) else None

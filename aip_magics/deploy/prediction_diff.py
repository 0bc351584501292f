"""Whether two answers of a model are the same: numbers by value, everything else exactly."""

from __future__ import annotations

import math
from typing import Any

from aip_magics.i18n import gettext as _

# Two builds of the same library differ in the last digits of a float32; a wrong model differs by more.
RELATIVE = 1e-5
ABSOLUTE = 1e-8


def difference(local: Any, online: Any, where: str = "") -> str | None:
    """The first place where the two JSON values differ, as `predictions[0]: 1 and 2`; None where they agree."""
    if isinstance(local, dict) and isinstance(online, dict) and local.keys() == online.keys():
        pairs = [(f"{where}.{key}".lstrip("."), local[key], online[key]) for key in local]
    elif isinstance(local, list) and isinstance(online, list) and len(local) == len(online):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(local, online, strict=True))]
    elif _number(local) and _number(online):
        same = math.isclose(local, online, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        return None if same else _describe(where, str(local), str(online))
    else:
        return None if local == online else _describe(where, repr(local)[:80], repr(online)[:80])
    return next((found for at, a, b in pairs if (found := difference(a, b, at))), None)


def _describe(where: str, local: str, online: str) -> str:
    return _("{where}: {local} locally, {online} online", where=where, local=local, online=online)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

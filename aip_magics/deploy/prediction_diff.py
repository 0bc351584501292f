"""Compare the predictions of two runs: numbers within a tolerance, everything else exactly."""

from __future__ import annotations

import math
from typing import Any

from aip_magics.i18n import gettext as _

# Two builds of the same library differ in the last digits of a float32; a wrong model differs by more.
RELATIVE = 1e-5
ABSOLUTE = 1e-8


def difference(local: Any, online: Any, where: str = "") -> str | None:
    """Describe the first difference of two JSON values, `predictions[0]: 1 locally, 2 online`; None if they agree."""
    if isinstance(local, dict) and isinstance(online, dict) and local.keys() == online.keys():
        pairs = [(f"{where}.{key}".lstrip("."), local[key], online[key]) for key in local]
    elif isinstance(local, list) and isinstance(online, list) and len(local) == len(online):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(local, online, strict=True))]
    elif _number(local) and _number(online):
        same = math.isclose(local, online, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        return None if same else _describe(where, str(local), str(online))
    else:
        return None if local == online else _describe(where, repr(local)[:80], repr(online)[:80])
    return next((text for path, a, b in pairs if (text := difference(a, b, path))), None)


def _describe(where: str, local: str, online: str) -> str:
    return _("{where}: {local} locally, {online} online", where=where, local=local, online=online)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

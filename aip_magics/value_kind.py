"""The kind of a JSON or YAML value, as error messages name it."""

from __future__ import annotations

import json

from aip_magics.i18n import gettext as _

MAX_SHOWN = 20  # characters of a string


def value_kind(value: object) -> str:
    """Name a value of JSON or YAML in an error message: `a list`, `the string 'x'`, `null`."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict):
        return _("an object")
    if isinstance(value, list):
        return _("a list")
    if type(value) is str:
        return _("the string {value!r}", value=value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…")
    if type(value) in (int, float):
        return _("the number {value!r}", value=value)
    return type(value).__name__

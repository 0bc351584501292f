"""Read the body of a cell: YAML with the API's fields, and `$name` for variables of the notebook."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.errors import AipError, CellError
from aip_magics.i18n import gettext as _

VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


class NestedTooDeeply(CellError):
    """The brackets in the cell are nested too deeply."""


def read_yaml(text: str, where: str = "cell") -> Any:
    """Read the YAML of a cell (JSON is YAML too); None for an empty cell. CellError with line and column."""
    if not text.strip():
        return None  # as the YAML reader would, without the 25 ms of its import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    from aip_magics.commands.common.yaml_reader import RejectedYAML, TooDeep, TooMuch, load

    try:
        return load(text)
    except TooDeep as error:
        fix = _("use fewer nested brackets")
        raise NestedTooDeeply(error.problem or "", where=where, fix=fix) from None
    except TooMuch as error:
        fix = _("shorten the text; pass many instances as a file with --json-instances FILE")
        message = _("the YAML is too large: {reason}", reason=error.problem)
        raise CellError(message, where=where, fix=fix) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        location = where
        if mark:
            location = _(
                "{where}, line {line}, column {column}", where=where, line=mark.line + 1, column=mark.column + 1
            )
        if isinstance(error, RejectedYAML):
            raise CellError(error.problem or "", where=location, fix=error.fix) from None
        raise CellError(
            _("invalid YAML: {reason}", reason=error.problem), where=location, fix=_yaml_fix(text)
        ) from None
    except ReaderError as error:
        code = f"{error.character:04x}"
        message = _("YAML does not allow the character U+{code}", code=code.upper())
        fix = _('write it as "\\u{code}", in double quotes', code=code)
        raise CellError(message, where=where, fix=fix) from None
    except (YAMLError, ValueError, OverflowError) as error:  # an escape such as "\\Uffffffff"
        raise CellError(_("invalid YAML: {reason}", reason=error), where=where) from None


def read_mapping(text: str, where: str = "cell") -> dict[str, Any]:
    """Read a body of `field: value` lines; {} for an empty body."""
    fields = read_yaml(text, where)
    if fields is None:
        return {}
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        text = _("the body must consist of `field: value` lines")
        raise CellError(text, where=where, fix=_("use for example {example}", example="test:\n  instances: […]"))
    return fields


def substitute(value: Any, names: Mapping[str, Any], where: str = "cell") -> Any:
    """Replace every string `$name` by the value of this variable; `$$x` stands for the string `$x`.

    A NumPy number becomes a Python number. CellError with the nearest name if the variable is not defined.
    """
    if isinstance(value, dict):
        return {key: substitute(item, names, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, names, f"{where}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value.startswith("$$"):
        return value[1:]
    match = VARIABLE.fullmatch(value)
    if not match:
        return value
    name = match[1]
    if name not in names:
        from aip_magics.spec import nearest

        fix = nearest(name, [known for known in names if not known.startswith("_")]) or _("define the variable first")
        raise CellError(_("variable {name!r} is not defined", name=name), where=where, fix=fix)
    value = names[name]
    with reading_value(f"${name}", where):
        isinstance(value, (str, Mapping))  # may run code of the value (`__class__`), which may raise
        hasattr(value, "tolist")
        return _python_number(value)


@contextlib.contextmanager
def reading_value(name: str, where: str) -> Iterator[None]:
    """Turn an exception from the code of a notebook value, while it is read, into a CellError."""
    try:
        yield
    except AipError:
        raise
    except Exception as error:  # noqa: BLE001 - a value may run any code
        text = _("{name} cannot be used: reading its value raises {kind}", name=name, kind=type(error).__name__)
        fix = _("use plain values: strings, numbers, lists, an array or a DataFrame")
        raise CellError(text, where=where, fix=fix) from None


def _python_number(value: Any) -> Any:
    """Turn `numpy.int64(3)` into 3, because the API's fields and JSON only take Python numbers."""
    scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    is_time = scalar and value.dtype.kind in "mM"  # `item` would make a number of some times, and an object of others
    return value.item() if scalar and not is_time else value


def _yaml_fix(text: str) -> str:
    return _("indent YAML with spaces, not tabs") if "\t" in text else ""

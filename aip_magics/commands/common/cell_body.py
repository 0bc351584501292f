"""The body of a cell: YAML with the API's fields, and `$name` for values of the notebook."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.errors import AipError, CellError
from aip_magics.i18n import gettext as _

VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


class NestedTooDeeply(CellError):
    """The cell has more brackets in each other than are read."""


def read_yaml(text: str, where: str = "cell") -> Any:
    """Read the YAML (JSON is YAML too) of a cell; None where it is empty. CellError with line and column."""
    if not text.strip():
        return None  # as YAML has it, without the 25 ms that its reader takes to be imported
    import yaml

    from aip_magics.commands.common.yaml_reader import TooDeep, TooMuch, load

    try:
        return load(text)
    except TooDeep as error:
        fix = _("write it with fewer brackets around each other")
        raise NestedTooDeeply(error.problem or "", where=where, fix=fix) from None
    except TooMuch as error:
        fix = _("write less into it; many instances go into a file: --json-instances FILE")
        told = _("this is more than is read: {reason}", reason=error.problem)
        raise CellError(told, where=where, fix=fix) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = where
        if mark:
            at = _("{where}, line {line}, column {column}", where=where, line=mark.line + 1, column=mark.column + 1)
        raise CellError(_("this is not YAML: {reason}", reason=error.problem), where=at, fix=_yaml_fix(text)) from None
    except yaml.YAMLError as error:
        raise CellError(_("this is not YAML: {reason}", reason=error), where=where) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:  # of a value: !!int x, a lone key
        raise CellError(_("this is not YAML: {reason}", reason=error), where=where) from None


def read_mapping(text: str, where: str = "cell") -> dict[str, Any]:
    """Read a body that has to be `field: value` lines; {} where it is empty."""
    found = read_yaml(text, where)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        text = _("the body has to be `field: value` lines")
        raise CellError(text, where=where, fix=_("e.g. {example}", example="test:\n  instances: […]"))
    return found


def substitute(value: Any, names: Mapping[str, Any], where: str = "cell") -> Any:
    """Replace every text that is wholly `$name` by the value of that name, with its type; `$$x` means the text `$x`.

    A number of NumPy becomes Python's. CellError, with the nearest name, where there is no such variable.
    """
    if isinstance(value, dict):
        return {key: substitute(item, names, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, names, f"{where}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value.startswith("$$"):
        return value[1:]
    found = VARIABLE.fullmatch(value)
    if not found:
        return value
    name = found[1]
    if name not in names:
        from aip_magics.spec import nearest

        fix = nearest(name, [known for known in names if not known.startswith("_")]) or _("define it first")
        raise CellError(_("there is no variable {name!r}", name=name), where=where, fix=fix)
    value = names[name]
    with answering(f"${name}", where):
        isinstance(value, (str, Mapping))  # it may say of itself what it is, and raise
        hasattr(value, "tolist")
        return _python_number(value)


@contextlib.contextmanager
def answering(name: str, where: str) -> Iterator[None]:
    """While a value of the notebook is asked for what it holds: CellError where its own code raises."""
    try:
        yield
    except AipError:
        raise
    except Exception as error:  # noqa: BLE001 - the code of a value is anyone's
        text = _("{name} cannot be used: asking it for its value raises {kind}", name=name, kind=type(error).__name__)
        fix = _("give plain values: texts, numbers, lists, an array or a DataFrame")
        raise CellError(text, where=where, fix=fix) from None


def _python_number(value: Any) -> Any:
    """`numpy.int64(3)` is 3: the API's fields and JSON take numbers of Python."""
    scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if scalar else value


def _yaml_fix(text: str) -> str:
    return _("YAML is indented with blanks, not tabs") if "\t" in text else ""

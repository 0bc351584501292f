"""The body of a cell: YAML with the API's fields, and `$name` for values of the notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aip_magics.errors import CellError

VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


class WrittenFloat(float):
    """A number of a YAML text that remembers how it was written: `2.10` is a runtime version, not the number 2.1."""

    written: str


def read_yaml(text: str, where: str = "cell") -> Any:
    """Read the YAML (JSON is YAML too) of a cell; None where it is empty. CellError with line and column."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def written_float(loader: Any, node: Any) -> WrittenFloat:
        value = WrittenFloat(loader.construct_yaml_float(node))
        value.written = node.value
        return value

    Loader.add_constructor("tag:yaml.org,2002:float", written_float)
    # Dates would come as Python objects that are no JSON: they stay the text that was written.
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        raise CellError(f"this is not YAML: {error.problem}", where=at, fix=_yaml_fix(text)) from None
    except yaml.YAMLError as error:
        raise CellError(f"this is not YAML: {error}", where=where) from None


def read_mapping(text: str, where: str = "cell") -> dict[str, Any]:
    """Read a body that has to be `field: value` lines; {} where it is empty."""
    found = read_yaml(text, where)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise CellError(
            "the body has to be `field: value` lines", where=where, fix="e.g. test:\n           instances: […]"
        )
    return found


def substitute(value: Any, names: Mapping[str, Any], where: str = "cell") -> Any:
    """Replace every text that is wholly `$name` by the value of that name, with its type; `$$x` means the text `$x`."""
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

        known = [known for known in names if not known.startswith("_")]
        raise CellError(f"there is no variable {name!r}", where=where, fix=nearest(name, known) or "define it first")
    return names[name]


def _yaml_fix(text: str) -> str:
    return "YAML is indented with blanks, not tabs" if "\t" in text else ""

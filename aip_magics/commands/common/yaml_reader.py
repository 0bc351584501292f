"""Read YAML of a cell or a file within limits, so that a short text cannot expand to a huge or slow value.

Import this module only where it is used, because it loads PyYAML.
"""

from __future__ import annotations

from typing import Any

import yaml

from aip_magics.i18n import gettext as _

MAX_CHARACTERS = 2 << 20  # a request has at most 1.5 MiB
MAX_VALUES = 1_000_000  # including repetitions by aliases
_MAX_MERGED = 100_000  # members of mappings that use `<<`
_MAX_DIGITS = 1000


class LiteralFloat(float):
    """A number that remembers its text: `2.10` is a runtime version, not the number 2.1."""

    written: str


class TooMuch(yaml.MarkedYAMLError):
    """The YAML exceeds a limit, which `problem` names."""


class TooDeep(TooMuch):
    """The YAML is nested too deeply."""


class _Loader(yaml.SafeLoader):
    merging = False  # whether the text has a `<<`
    _merged = 0

    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)
        self._merged += len(node.value) if self.merging else 0
        if self._merged > _MAX_MERGED:
            raise TooMuch(problem=_("`<<` expands to more than {count:,} members", count=_MAX_MERGED))


def load(text: str) -> Any:
    """Read a YAML text. TooMuch or another YAMLError if it cannot be read; a RecursionError becomes TooDeep."""
    if len(text) > MAX_CHARACTERS:
        raise TooMuch(problem=_("more than {size} MiB", size=MAX_CHARACTERS >> 20))
    loader = _Loader(text)
    loader.merging = "<<" in text
    try:
        value = loader.get_single_data()
    except RecursionError:
        raise TooDeep(problem=_("the YAML is nested too deeply")) from None
    finally:
        loader.dispose()
    if "*" in text and "&" in text:
        _check_size(value)
    return value


def _check_size(value: Any) -> None:
    """TooMuch if aliases expand to too many values: nine of nine of nine … are a billion."""
    pending, count = [value], 0
    while pending:
        item = pending.pop()
        count += 1
        if count > MAX_VALUES or len(pending) > MAX_VALUES:
            raise TooMuch(problem=_("aliases expand to more than {count:,} values", count=MAX_VALUES))
        pending.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())


def _float(loader: Any, node: Any) -> LiteralFloat:
    value = LiteralFloat(loader.construct_yaml_float(node))
    value.written = node.value
    return value


def _int(loader: Any, node: Any) -> int:
    if len(node.value) > _MAX_DIGITS:  # 1:1:1:… is read in base 60, which takes forever
        raise TooMuch(
            problem=_("a number has more than {count:,} digits", count=_MAX_DIGITS), problem_mark=node.start_mark
        )
    number: int = loader.construct_yaml_int(node)
    return number


_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
# Dates stay strings, because Python dates cannot be written as JSON.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)

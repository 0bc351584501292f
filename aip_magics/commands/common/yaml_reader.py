"""YAML of a cell or a file, within bounds: what is written small must not become large, nor take long to be read.

Import this module where it is used: it loads PyYAML.
"""

from __future__ import annotations

from typing import Any

import yaml

from aip_magics.i18n import gettext as _

MAX_CHARACTERS = 2 << 20  # a request has at most 1.5 MiB
MAX_VALUES = 1_000_000  # with those that aliases repeat
_MAX_MERGED = 100_000  # members, where `<<` brings some along
_MAX_DIGITS = 1000


class LiteralFloat(float):
    """A number of a YAML text that remembers how it was written: `2.10` is a runtime version, not the number 2.1."""

    written: str


class TooMuch(yaml.MarkedYAMLError):
    """More than is read. `problem` says of what."""


class TooDeep(TooMuch):
    """More brackets in each other than are read."""


class _Loader(yaml.SafeLoader):
    merging = False  # whether the text has a `<<` at all
    _merged = 0

    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)
        self._merged += len(node.value) if self.merging else 0
        if self._merged > _MAX_MERGED:
            raise TooMuch(problem=_("with `<<` it has more than {count:,} members", count=_MAX_MERGED))


def load(text: str) -> Any:
    """The value. TooMuch, or another YAMLError, where it cannot be had; RecursionError is one of these, too."""
    if len(text) > MAX_CHARACTERS:
        raise TooMuch(problem=_("it has more than {size} MiB", size=MAX_CHARACTERS >> 20))
    loader = _Loader(text)
    loader.merging = "<<" in text
    try:
        value = loader.get_single_data()
    except RecursionError:
        raise TooDeep(problem=_("it is nested too deeply")) from None
    finally:
        loader.dispose()
    if "*" in text and "&" in text:
        _count(value)
    return value


def _count(value: Any) -> None:
    """TooMuch where aliases make more values than are taken: nine of nine of nine … are a billion."""
    left, count = [value], 0
    while left:
        one = left.pop()
        count += 1
        if count > MAX_VALUES or len(left) > MAX_VALUES:
            raise TooMuch(problem=_("its aliases make more than {count:,} values", count=MAX_VALUES))
        left.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())


def _float(loader: Any, node: Any) -> LiteralFloat:
    value = LiteralFloat(loader.construct_yaml_float(node))
    value.written = node.value
    return value


def _int(loader: Any, node: Any) -> int:
    if len(node.value) > _MAX_DIGITS:  # 1:1:1:… is read in base 60, which takes for ever
        raise TooMuch(
            problem=_("a number has more than {count:,} digits", count=_MAX_DIGITS), problem_mark=node.start_mark
        )
    found: int = loader.construct_yaml_int(node)
    return found


_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
# Dates would come as Python objects that are no JSON: they stay the text that was written.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)

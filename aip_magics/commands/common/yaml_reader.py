"""Read YAML of a cell or a file so that the value is what was written, within limits of size and depth.

The schema is YAML 1.2's core schema: `NO`, `on`, `12:30` and `2024-01-01` are strings, `1e3` is a number, and JSON
means what it means in JSON. ruamel.yaml parses the text; the types are given here, because it reads some scalars as in
YAML 1.1 (`1_000`, `0b1`, dates). Stricter than the schema: a key that occurs twice and a number with a leading zero
are errors, because either reading may be wrong.

Import this module only where it is used, because it loads ruamel.yaml.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import BaseResolver

from aip_magics.i18n import gettext as _
from aip_magics.prediction.instances import unique_members

MAX_CHARACTERS = 2 << 20  # a request has at most 1.5 MiB
MAX_VALUES = 1_000_000  # including repetitions by aliases
_MAX_MERGED = 100_000  # members of mappings that use `<<`
_MAX_DIGITS = 1000
_TAG = "tag:yaml.org,2002:"
_LEADING_ZERO = "leading zero"
_LINE_SEPARATORS = re.compile("[\x85\u2028\u2029]")  # line breaks in YAML 1.1 only; ruamel.yaml would read spaces
# Regular expressions of YAML 1.2.2, 10.3.2, in the order of trial. NaN and Infinity are how Python writes JSON.
_SCALARS = {
    _TAG + "null": r"(?:null|Null|NULL|~|)",
    _TAG + "bool": r"(?:true|True|TRUE|false|False|FALSE)",
    _LEADING_ZERO: r"[-+]?0[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?",
    _TAG + "int": r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)",
    _TAG + "float": (
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|-?Infinity|NaN)"
    ),
    _TAG + "merge": r"<<",
}


class LiteralFloat(float):
    """A number that remembers its text: `2.10` is a runtime version, not the number 2.1."""

    written: str


class LiteralInt(int):
    """The same for integers: `0x1F` as a description is not 31."""

    written: str


class TooMuch(MarkedYAMLError):
    """The YAML exceeds a limit, which `problem` names."""


class TooDeep(TooMuch):
    """The YAML is nested too deeply."""


class RejectedYAML(MarkedYAMLError):
    """YAML that this schema does not accept, with the way to write what is meant."""

    def __init__(self, node: Node, problem: str, fix: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)
        self.fix = fix


class CoreResolver(BaseResolver):
    """Gives plain scalars the types of the core schema; for reading, and for writing what is read back alike."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {  # noqa: RUF012 - the library's form
        None: [(tag, re.compile(f"{pattern}$")) for tag, pattern in _SCALARS.items()]
    }
    processing_version = (1, 2)

    def __init__(self, version: Any = None, loader: Any = None) -> None:  # noqa: ARG002 - as the library calls it
        super().__init__(loader)


def load(text: str) -> Any:
    """Read a YAML text. TooMuch, RejectedYAML or another YAMLError if it cannot be read.

    Mappings have strings as keys, spelled as in the text, as in JSON.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooMuch(problem=_("more than {size} MiB", size=MAX_CHARACTERS >> 20))
    try:
        # JSON is YAML, but has escapes for surrogate pairs and no limit for the length of a key; and is read faster.
        return json.loads(
            text, object_pairs_hook=unique_members, parse_int=_int, parse_float=_float, parse_constant=_float
        )
    except RecursionError:
        raise TooDeep(problem=_("the YAML is nested too deeply")) from None
    except ValueError:
        pass  # no JSON, or a key that occurs twice, whose line is known below
    if found := _LINE_SEPARATORS.search(text):
        raise ReaderError("", found.start(), ord(found[0]), "unicode", "")
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = CoreResolver
    try:
        value = _Construction().build(yaml.compose(text))
    except RecursionError:
        raise TooDeep(problem=_("the YAML is nested too deeply")) from None
    if "*" in text and "&" in text:
        _check_size(value)
    return value


class _Construction:
    """Builds the value of a tree of nodes; an alias gives the same object as its anchor."""

    def __init__(self) -> None:
        self._built: dict[int, Any] = {}
        self._merged = 0

    def build(self, node: Node | None) -> Any:
        if node is None:  # a text of comments only
            return None
        if id(node) in self._built:
            return self._built[id(node)]
        if isinstance(node, ScalarNode):
            return _scalar(node)
        items: list[Any] | dict[str, Any]
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            items = self._built[id(node)] = []
            items.extend(map(self.build, node.value))
            return items
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            items = self._built[id(node)] = {}
            self._fill(items, node)
            return items
        raise _tag_error(node)

    def _fill(self, items: dict[str, Any], node: MappingNode) -> None:
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                self._merge(merged, value_node)
                continue
            if not isinstance(key_node, ScalarNode):
                raise RejectedYAML(key_node, _("expected a string as the key"), _("put the key in quotes"))
            key = _joined_surrogates(key_node.value)
            if key in items:
                raise RejectedYAML(key_node, _("key {key!r} occurs twice", key=key), _("omit one of the two"))
            items[key] = self.build(value_node)
        for key, value in merged.items():
            items.setdefault(key, value)

    def _merge(self, merged: dict[str, Any], node: Node) -> None:
        """Add the members of the mappings that `<<` names; the first one that has a key wins."""
        for mapping_node in node.value if isinstance(node, SequenceNode) else [node]:
            members = self.build(mapping_node)
            if not isinstance(members, dict):
                raise RejectedYAML(
                    mapping_node,
                    _("expected a mapping after `<<`"),
                    _("write `<<: *NAME`, where NAME is the anchor of a mapping"),
                )
            self._merged += len(members)
            if self._merged > _MAX_MERGED:
                raise TooMuch(problem=_("`<<` expands to more than {count:,} members", count=_MAX_MERGED))
            for key, value in members.items():
                merged.setdefault(key, value)


def _scalar(node: ScalarNode) -> Any:
    text, tag = node.value, node.tag
    if tag == _TAG + "str" or tag == _TAG + "merge":
        return _joined_surrogates(text)
    if tag == _TAG + "null":
        return None
    if tag == _TAG + "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == _LEADING_ZERO:
        problem = _("{text} has a leading zero", text=text)
        raise RejectedYAML(node, problem, _('write "{text}" for a string, or omit the zero for a number', text=text))
    try:
        if tag == _TAG + "int":
            return _int(text)
        if tag == _TAG + "float":
            return _float(text)
    except TooMuch as error:
        error.problem_mark = node.start_mark
        raise
    except ValueError:
        pass  # such as `!!int x`
    raise _tag_error(node)


def _tag_error(node: Node) -> RejectedYAML:
    tag = str(node.tag).replace(_TAG, "!!")
    return RejectedYAML(node, _("tag {tag} cannot be used here", tag=tag), _("omit {field}", field=tag))


def _int(text: str) -> LiteralInt:
    if len(text) > _MAX_DIGITS:  # the time to read a number grows with the square of its length
        raise TooMuch(problem=_("a number has more than {count:,} digits", count=_MAX_DIGITS))
    value = LiteralInt(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
    value.written = text
    return value


def _float(text: str) -> LiteralFloat:
    value = LiteralFloat(
        text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".nan", "nan")
    )
    value.written = text
    return value


def _joined_surrogates(text: str) -> str:
    r"""Join what JSON writes as two escapes, `\ud83d\ude00`, to one character."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _check_size(value: Any) -> None:
    """TooMuch if aliases expand to too many values: nine of nine of nine … are a billion."""
    pending, count = [value], 0
    while pending:
        item = pending.pop()
        count += 1
        if count > MAX_VALUES or len(pending) > MAX_VALUES:
            raise TooMuch(problem=_("aliases expand to more than {count:,} values", count=MAX_VALUES))
        pending.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())

"""Render YAML line for line like gcloud (`gcloud ai-platform versions describe`).

gcloud uses ruamel with YAML 1.2: keys sorted, lists not indented, long text folded at 80 columns, text of several lines
as a literal block, `'3.7'` quoted because 3.7 would be a number, but `yes` and `1:30` unquoted. Source: gcloud's
core/resource/yaml_printer.py; tests/render/test_render_yaml.py compares the output. Unlike gcloud, control and
invisible characters are escaped, and text that contains any is quoted.

PyYAML writes it, because it folds long text as gcloud's ruamel 0.15 does; later versions of ruamel fold differently.
Import this module on first use: the module loads PyYAML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from aip_magics.printable import UNSAFE, printable
from aip_magics.render import json as as_json
from aip_magics.spec import Int64, Model, OperationMetadata, Resource, Version

_RESOLVERS = [  # the types that YAML 1.2, as in ruamel, gives to plain text
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9_]+([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("int", r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+", "-+0123456789"),
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (
        "timestamp",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
        "0123456789",
    ),
    ("value", r"=", "="),
]
_URL_SAFE = str.maketrans("+/", "-_")
_UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|" + UNSAFE.pattern
)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form

    def ignore_aliases(self, _: Any) -> bool:  # repeated labels are written twice, not as `&id001`
        return True

    def choose_scalar_style(self) -> Any:
        event = self.event
        if not isinstance(event, yaml.ScalarEvent):
            return super().choose_scalar_style()
        # `_text` decides about literal blocks; PyYAML would refuse spaces before a line end, and tabs.
        if event.style == "|" and not self.flow_level and not self.simple_key_context:
            return "|"
        style = super().choose_scalar_style()
        # ruamel does not double apostrophes but uses double quotes.
        return '"' if style == "'" and "'" in event.value else style


for _tag, _pattern, _first in _RESOLVERS:
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def dump(value: Any) -> str:
    """Render a value like gcloud, with a trailing line end. A Resource is written as the object of the API."""
    text: str = yaml.dump(
        tree(value), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=True, width=80
    )
    # Unsafe characters that PyYAML considers printable are in double quotes, where YAML has the same escapes.
    return printable(text)


def tree(value: Any, in_metadata: bool = False) -> Any:
    """Convert a value to objects, lists and scalars, without empty lists of a resource, which the API omits."""
    if isinstance(value, Resource):
        # Members without an attribute are those that the API does not define, such as `@type`.
        members = {name: getattr(value, name, written) for name, written in value.to_json().items()}
        # gcloud decodes an etag and encodes the bytes in the URL-safe alphabet, except in the metadata of an operation.
        if isinstance(value, (Model, Version)) and value.etag and not in_metadata:
            members["etag"] = value.etag.translate(_URL_SAFE)
        in_metadata = in_metadata or isinstance(value, OperationMetadata)
        return {name: tree(member, in_metadata) for name, member in members.items() if member != ()}
    if isinstance(value, Mapping):
        return {str(key): tree(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [tree(item, in_metadata) for item in value]
    return str(int(value)) if isinstance(value, Int64) else as_json.to_json(value)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    text = value.replace("\r\n", "\n") if "\n" in value else value
    style = '"' if _UNPRINTABLE.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _float(_: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:float", _six_digits(value))


def _six_digits(value: float) -> str:
    # gcloud's TransformFloat: six digits, no exponent below 1e9.
    text = f"{value:.6}"
    _, sign, exponent = text.partition("e+")
    return f"{value:.1f}" if sign and int(exponent) < 9 else text


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)

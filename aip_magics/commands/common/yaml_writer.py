"""Write YAML that `yaml_reader` reads back as the same value.

Import this module only where it is used, because it loads ruamel.yaml.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from aip_magics.commands.common.yaml_reader import CoreResolver


class _Representer(SafeRepresenter):
    def ignore_aliases(self, _: Any) -> bool:  # the same list twice is written twice, not as `&id001`
        return True


def dump(value: Any, width: int) -> str:
    """Write a value in block style, lines of at most about `width` characters, keys in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer, yaml.Resolver = _Representer, CoreResolver
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the library's hint says None
    yaml.default_flow_style = False
    yaml.width = width
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _text(representer: SafeRepresenter, value: str) -> ScalarNode:
    # The library considers these printable; the reader takes them as escapes only.
    style = '"' if any(character in value for character in "\x85\u2028\u2029\ufeff") else None
    return representer.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Representer.add_representer(str, _text)

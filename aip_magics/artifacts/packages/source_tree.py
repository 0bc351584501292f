"""The files of a source distribution that steer its build, and what can be told from their text."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from aip_magics.artifacts.packages.archives import Archive
from aip_magics.artifacts.packages.setup_script import parsed


class SourceTree:
    """The files of a source distribution that steer its build, by their names from where setup.py lies."""

    def __init__(self, archive: Archive) -> None:
        root = archive.root
        self.members = {name.removeprefix(root) for name in archive.members if name.startswith(root)}
        self.texts = {name.removeprefix(root): text for name, text in archive.texts.items() if name.startswith(root)}

    def text(self, name: str) -> str:
        """The text of a file, with the line ends that whoever opens it sees; `reasons` tells where it is none."""
        return normalize_line_ends(self.texts.get(name, b"").decode("utf-8", "replace"))

    def says_literally(self, attribute: str, folders: Mapping[str, str]) -> bool:
        """Whether `package.module.NAME` is a value that stands there: then setuptools does not import the module."""
        module, _sep, name = attribute.rpartition(".")
        path = module.replace(".", "/")
        first, _sep, rest = path.partition("/")
        places = {path, f"src/{path}", f"{folders['']}/{path}" if folders.get("") else path}
        if first in folders:
            places.add("/".join(part for part in (folders[first], rest) if part))
        heads = tuple(head for place in places for head in (f"{place}.", f"{place}/__init__."))
        files = [file for file in self.members if file.startswith(heads)]
        plain = len(files) == 1 and files[0].endswith(".py") and not any("." in folder for folder in folders)
        return plain and files[0] in self.texts and _has_literal(self.texts[files[0]], name)


def normalize_line_ends(text: str) -> str:
    """End every line with `\\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _has_literal(source: bytes, name: str) -> bool:
    """Whether the module's first assignments to this name, at its top, are all values that stand there."""
    try:
        tree = parsed(source)
        values = []
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                targets = [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                values.append(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return False
    return bool(values) and all(isinstance(one, (str, tuple, list)) for one in values)

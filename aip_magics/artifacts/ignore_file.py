"""Read the `.gcloudignore` of a directory: the files that gcloud does not upload, in the syntax of .gitignore."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _

NAME = ".gcloudignore"
_INCLUDE = "#!include:"  # gcloud's own addition to the syntax: the patterns of another file of the directory
_MAX_BYTES = 1 << 20
_ANY_DIRS = re.compile(r"\*{2,}")
_TOKEN = re.compile(r"\\(?P<escaped>.)|\[(?P<negated>[!^]?)(?P<set>\]?(?:\[:\w+:\]|\\.|[^]\\])*)\]|[^\\\[]", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CLASS = re.compile(r"\[:(\w+):\]")
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def to_pattern(name: str) -> str:
    """Return the line that excludes exactly this file or, with a slash at its end, this directory."""
    return "/" + re.sub(r"([\\*?\[]| (?= *$))", r"\\\1", name)


class IgnoreFile:
    """The patterns of a directory's `.gcloudignore`; none without one."""

    def __init__(self, directory: Path) -> None:
        path = directory / NAME
        self._patterns = [*_read_patterns(path)] if path.is_file() else []

    def ignores(self, name: str, *, is_dir: bool) -> bool:
        """Whether the patterns exclude an entry. `name` is relative to the directory, with `/`.

        As with git, nothing below an excluded directory can be included again: callers do not enter it.
        """
        parts = name.split("/")
        matching = (one for one in reversed(self._patterns) if (is_dir or not one.dir_only) and one.matches(parts))
        return next((one.excludes for one in matching), False)


class _Pattern(NamedTuple):
    """A line: an expression for each component of a path, None for `**`; a single one is for the last component."""

    parts: tuple[re.Pattern[str] | None, ...]
    excludes: bool
    anchored: bool
    dir_only: bool

    def matches(self, parts: Sequence[str]) -> bool:
        if not self.anchored:
            return self.parts[0] is None or self.parts[0].match(parts[-1]) is not None
        # The numbers of components that the expressions so far can match.
        counts = {0}
        for index, expression in enumerate(self.parts):
            if expression is None:  # at the end, at least one component
                least = int(index + 1 == len(self.parts))
                counts = set(range(min(counts) + least, len(parts) + 1))
            else:
                counts = {at + 1 for at in counts if at < len(parts) and expression.match(parts[at])}
            if not counts:
                return False
        return len(parts) in counts


def _read_patterns(path: Path) -> Iterator[_Pattern]:
    for line in _read_lines(path):
        for one in _included_lines(path, line) if line.startswith(_INCLUDE) else [line]:
            if pattern := _parse(one):
                yield pattern


def _parse(line: str) -> _Pattern | None:
    """Parse a line; None for a comment, an empty line, and one that matches nothing, such as an unclosed bracket."""
    line = line.removesuffix("\r")
    stripped = line.rstrip(" ")
    line = stripped + " " if stripped != line and _is_escaped(stripped) else stripped
    if not line or line.startswith("#"):
        return None
    excludes = not line.startswith("!")
    line = line.removeprefix("!")
    dir_only = line.endswith("/")
    line = line.removesuffix("/")
    texts = line.removeprefix("/").split("/")
    parts = [None if _ANY_DIRS.fullmatch(text) else _translate(text) for text in texts]
    if not line or any(part is None and not _ANY_DIRS.fullmatch(text) for part, text in zip(parts, texts, strict=True)):
        return None
    return _Pattern(tuple(parts), excludes, "/" in line, dir_only)


def _is_escaped(text: str) -> bool:
    """Whether what follows the text is escaped: it ends with an odd number of backslashes."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _translate(text: str) -> re.Pattern[str] | None:
    """Compile one component of a pattern; None if it matches nothing."""
    found, end = "", 0
    for token in _TOKEN.finditer(text):
        if token.start() != end:
            return None
        end = token.end()
        if escaped := token["escaped"]:
            found += f"[{escaped}]" if escaped in "*?[" else escaped
        elif token["set"] is not None:
            found += _translate_set(token["set"], bool(token["negated"]))
        else:
            found += token[0]
    # fnmatch's expressions take no exponential time.
    return re.compile(fnmatch.translate(found)) if end == len(text) else None


def _translate_set(text: str, negated: bool) -> str:
    """Translate a bracket expression to fnmatch, where a backslash escapes nothing."""
    escaped = set(_ESCAPE.findall(text))
    members = _CLASS.sub(lambda name: _CLASSES.get(name[1], ""), _ESCAPE.sub("", text)).removeprefix("]")
    members += "".join(sorted(escaped - {"]", "-"}))
    if members.startswith("!"):
        members = members[1:] + "!"
    if "]" in escaped or text.startswith("]"):
        members = "]" + members
    members += "-" if "-" in escaped else ""
    return "!" if members == "!" and not negated else f"[{'!' if negated else ''}{members}]"


def _included_lines(path: Path, line: str) -> list[str]:
    """Return the lines of the file that `#!include:FILE` names; as with gcloud, it must be in the same directory."""
    name = line.removeprefix(_INCLUDE).strip()
    included = path.parent / name
    if not name or Path(name).name != name:
        text = _("{line}: expected the name of a file in the same directory", line=line.strip())
        raise ModelDirError(text, where=str(path), fix=_("correct or remove the line"))
    if not included.is_file():
        text = _("{line}: the file does not exist", line=line.strip())
        raise ModelDirError(text, where=str(path), fix=_("correct or remove the line"))
    found = _read_lines(included)
    if any(one.startswith(_INCLUDE) for one in found):
        text = _("an included file cannot include another file")
        raise ModelDirError(text, where=str(included), fix=_("remove the line that begins with {text}", text=_INCLUDE))
    return found


def _read_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            text = _("the file is larger than {most} bytes", most=_MAX_BYTES)
            raise ModelDirError(text, where=str(path), fix=_("use patterns instead of the names of files"))
        return data.decode("utf-8-sig").split("\n")
    except OSError as error:
        text = _("could not read the file: {reason}", reason=error.strerror or error)
        raise ModelDirError(text, where=str(path), fix=_("change the permissions of the file, or remove it")) from None
    except UnicodeDecodeError:
        raise ModelDirError(_("the file is not UTF-8 text"), where=str(path), fix=_("save the file as UTF-8")) from None

"""Read a protocol buffer in its text form (`saved_model.pbtxt`), by a schema, as far as printed ones go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aip_magics.artifacts.saved_models.bounds import MAX_TEXT_BYTES, CorruptedFile, Kept
from aip_magics.artifacts.saved_models.schema import SPELLED, Message, Tree
from aip_magics.i18n import gettext as _

MAX_CHARACTERS = 8 * 1024 * 1024  # read in about a second
_MAX_DEPTH = 60
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<text>["'])|(?P<word>[\w.+\-]+|\[[\w.\-]+/[\w./\-]+\])|(?P<mark>[{}<>\[\]:;,])"""
)
_OPENS, _CLOSES = "{<", "}>"
_ESCAPE = re.compile(r"\\(\\|'|\"|n|t|r|[0-7]{1,3}|x[0-9a-fA-F]{1,2})")
_NAMED = {"n": "\n", "t": "\t", "r": "\r"}


def opened(path: Path) -> str:
    """The text of a file. OSError; Damaged where it has more in it than is looked at."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        whole = lines.read(MAX_CHARACTERS + 1)
    if len(whole) > MAX_CHARACTERS:
        raise CorruptedFile(_("text files of more than {size} MiB are not read", size=MAX_CHARACTERS >> 20))
    return whole


def read(text: str, schema: Message) -> Tree:
    """The fields of a message. Damaged where the text is none, is cut off, or nests too deep."""
    root: Tree = {}
    open_messages: list[tuple[Message | None, Tree]] = [(schema, root)]
    tokens, kept = _tokens(text), Kept()
    for kind, token in tokens:
        if token in _CLOSES:
            open_messages.pop()
            if not open_messages:
                raise CorruptedFile(_("file is corrupted"))
        elif kind == "word":
            _field(token, tokens, open_messages, kept)
        elif token not in ";,":
            raise CorruptedFile(_("file is corrupted"))
    if len(open_messages) != 1:
        raise CorruptedFile(_("file is truncated"))
    return _picked(root, schema)


def _field(
    name: str, tokens: Iterator[tuple[str, str]], open_messages: list[tuple[Message | None, Tree]], kept: Kept
) -> None:
    schema, tree = open_messages[-1]
    field = schema.by_name.get(name) if schema else None
    kind, token = _next(tokens)
    if token == ":" and kind == "mark":
        kind, token = _next(tokens)
    if kind == "mark" and token in _OPENS:
        if len(open_messages) >= _MAX_DEPTH:
            raise CorruptedFile(_("file is nested too deeply"))
        inner: Tree = kept.message() if field and field.message and not field.message.only else {}
        if field is not None and field.message is not None:
            tree.setdefault(name, []).append(inner)
        open_messages.append((field.message if field else None, inner))
    elif kind == "mark" and token == "[":
        _several(name if field is not None and field.message is None else None, tokens, tree)
    elif kind == "mark":
        raise CorruptedFile(_("file is corrupted"))
    elif field is not None and field.message is None:
        if kind != "text":
            tree.setdefault(name, []).append(_scalar(token))
        elif len(token) <= MAX_TEXT_BYTES:
            tree.setdefault(name, []).append(kept.text(_unquoted(token)))


def _several(name: str | None, tokens: Iterator[tuple[str, str]], tree: Tree) -> None:
    """The values of `name: [1, 2]`, into the tree where the field is looked at."""
    while True:
        kind, token = _next(tokens)
        if kind == "mark" and token == "]":
            return
        if kind == "mark" and token in _OPENS:
            raise CorruptedFile(_("file is corrupted"))  # no printer writes one
        if kind != "mark" and name is not None:
            tree.setdefault(name, []).append(_unquoted(token) if kind == "text" else _scalar(token))


def _picked(tree: Tree, schema: Message) -> Tree:
    """The tree in which messages that stand for one field are replaced by it."""
    for field in schema.fields:
        if field.message is None or field.name not in tree:
            continue
        inner = [_picked(one, field.message) for one in tree[field.name]]
        only, make = field.message.only, field.message.make
        if make:
            tree[field.name] = [made for made in map(make, inner) if made is not None]
            continue
        tree[field.name] = [one[only][0] for one in inner if one.get(only)] if only else inner
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise CorruptedFile(_("file is corrupted"))
        at = match.end()
        if match.lastgroup == "text":
            end = _end_of_text(text, at, match[0])
            yield "text", text[at - 1 : end]
            at = end
        elif match.lastgroup:
            yield match.lastgroup, match[0]


def _end_of_text(text: str, at: int, quote: str) -> int:
    """Where the text that begins at `at`, behind its quote, ends. One regular expression takes 100 bytes a byte."""
    end = at
    while (found := text.find(quote, end)) >= 0:
        end = found + 1
        before = text[max(at, found - 1) : found]
        if before != "\\" or _backslashes(text, at, found) % 2 == 0:
            break
    if found < 0 or text.find("\n", at, end) >= 0:
        raise CorruptedFile(_("file is corrupted"))
    return end


def _backslashes(text: str, start: int, end: int) -> int:
    """How many of them there are in front of `end`, one beside the other."""
    count = 0
    while end - count > start and text[end - count - 1] == "\\":
        count += 1
    return count


def _next(tokens: Iterator[tuple[str, str]]) -> tuple[str, str]:
    found = next(tokens, None)
    if found is None:
        raise CorruptedFile(_("file is truncated"))
    return found


def _scalar(word: str) -> Any:
    """A number, or the word itself where it is the name of a value."""
    if re.fullmatch(r"-?\d{1,19}", word):
        return int(word)
    if word in SPELLED:
        return SPELLED[word]
    return word.removeprefix("DT_").lower() if word.startswith("DT_") else word


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(_escaped, text[1:-1])


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    return chr(int(code[1:], 16)) if code[0] == "x" else _NAMED.get(code, code)

r"""Escaping of text from outside before a terminal, a notebook or a log shows the text.

Messages of servers, exceptions of models, names of files and log lines may contain control characters of a terminal
(escape sequences, BEL, NUL), characters that change the order of text or make two texts look the same (bidirectional
and zero-width characters), and line ends followed by a forged `fix:` line. Such characters are shown as `\x1b`,
`\u202e`; lines of a block that look like a line of our errors are marked with a bar.
"""

from __future__ import annotations

import re

# C0 except tab and line end, DEL, C1; line and paragraph separators; bidirectional controls; zero-width characters;
# lone surrogates, which no encoding of a terminal supports; tag characters, which can hide text.
_ALWAYS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
# Persian, Hindi and emoji need joiners; next to ASCII, joiners only make two names look the same.
_JOINERS = "(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
UNSAFE = re.compile(f"[{_ALWAYS}]|{_JOINERS}")
# The beginnings of the second and third line of our errors, in every language.
_MIMIC = re.compile(r"\s*(?:fix|where|해결|위치)\s*[:\uff1a]", re.IGNORECASE)


def printable(text: str) -> str:
    r"""Escape unsafe characters visibly (`\x1b`); line ends become `\n`, line ends and tabs stay."""
    return UNSAFE.sub(_escape_visibly, text.replace("\r\n", "\n"))


def inline(text: str) -> str:
    r"""Escape unsafe characters, line ends (`\n`) and tabs (`\t`), so that the text is one line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str) -> str:
    """Escape unsafe characters and join all words by single spaces."""
    return " ".join(printable(text).split())


def block(text: str, indent: str = "") -> list[str]:
    """Split a text into indented printable lines; a bar marks lines that look like a line of our errors."""
    lines = printable(text).expandtabs().split("\n")
    return [f"{indent}| {line}" if _MIMIC.match(line) else f"{indent}{line}" if line else "" for line in lines]


def escaped(text: str) -> str:
    r"""Escape unsafe characters of a JSON text the way JSON does: `\u001b`."""
    return UNSAFE.sub(_escape_as_json, text)


def _escape_visibly(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_as_json(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))

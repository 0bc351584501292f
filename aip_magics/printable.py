r"""Text from outside, made safe to show: the one place that decides what a terminal, a notebook or a log may get.

Messages of servers, exceptions of models, names of files and log lines may hold what drives a terminal (escape
sequences, BEL, NUL), what lets text lie about its order or look like another (bidirectional and zero-width characters),
and line ends behind which a `fix:` that is not ours could stand. The former are shown as `\x1b`, `\u202e`; of the lines
of a block, those that look like a part of our errors are marked with a bar.
"""

from __future__ import annotations

import re

# C0 but tab and line end, DEL, C1; line and paragraph separators; bidirectional controls; characters without any width;
# lone surrogates, which no terminal's encoding has; the tags in which text can be hidden.
_ALWAYS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
# Joiners belong into Persian, Hindi and families of emoji; beside ASCII they only make two names look the same.
_JOINERS = "(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
UNSAFE = re.compile(f"[{_ALWAYS}]|{_JOINERS}")
# What the second and third line of our errors begin with, in every language.
_MIMIC = re.compile(r"\s*(?:fix|where|해결|위치)\s*[:\uff1a]", re.IGNORECASE)


def printable(text: str) -> str:
    r"""The text with what is not to be printed made visible (`\x1b`); line ends as `\n`, they and tabs stay."""
    return UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def inline(text: str) -> str:
    r"""The printable text on one line as it is: line ends as `\n`, tabs as `\t`."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str) -> str:
    """The printable text on one line, without a run of blanks."""
    return " ".join(printable(text).split())


def block(text: str, indent: str = "") -> list[str]:
    """The printable lines of a text, each indented; tabs are blanks, and no line looks like a part of our errors."""
    lines = printable(text).expandtabs().split("\n")
    return [f"{indent}| {line}" if _MIMIC.match(line) else f"{indent}{line}" if line else "" for line in lines]


def escaped(text: str) -> str:
    r"""JSON text in which everything that is not to be printed is written as JSON writes it: `\u001b`."""
    return UNSAFE.sub(_json, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))

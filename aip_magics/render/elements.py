"""HTML elements as text: everything that is not an Html already is escaped."""

from __future__ import annotations

import bisect
import functools
import html
import re

from aip_magics.printable import printable
from aip_magics.render import formatting

_BARE = re.compile(r"[A-Za-z0-9:;,.#()%_-]+")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """The text as HTML between tags (quotes stay: JSON is full of them); what is Html already stays."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text), quote=False))


def el(tag: str, *children: str, **attributes: str | int | None) -> Html:
    """One element. `aria_label` becomes `aria-label`; an attribute that is None is left out."""
    shown = "".join([_attribute(name, value) for name, value in attributes.items() if value is not None])
    return Html(f"<{tag}{shown}>{join(*children)}</{tag}>")


def join(*children: str) -> Html:
    """These pieces one after another."""
    return Html("".join([escape(child) for child in children]))


@functools.lru_cache(maxsize=256)  # nearly all are the same few styles, hundreds of times a panel
def _attribute(name: str, value: str | int) -> str:
    text = str(value)
    # HTML wants quotes only around more than this; of a hundred cells they would take the room of a whole row.
    shown = text if _BARE.fullmatch(text) else f'"{html.escape(printable(text))}"'
    return f" {name.replace('_', '-')}={shown}"


def size(text: str) -> int:
    """Bytes that the text takes as HTML in UTF-8."""
    return len(escape(text).encode())


def clip(text: str, most: int) -> str:
    """The text, cut so that it takes about `most` bytes as HTML; says how many characters are missing."""
    if len(text) <= most and size(text) <= most:
        return text
    kept = bisect.bisect_right(range(min(len(text), most) + 1), most, key=lambda end: size(text[:end])) - 1
    return f"{text[:kept]}… (+{formatting.skipped_files(len(text) - kept, 'character')})"

"""HTML elements as text: everything that is not an Html already is escaped."""

from __future__ import annotations

import bisect
import functools
import html

from aip_magics.render import words


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """The text as HTML between tags (quotes stay: JSON is full of them); what is Html already stays."""
    return text if isinstance(text, Html) else Html(html.escape(words.clean(text), quote=False))


def el(tag: str, *children: str, **attributes: str | int | None) -> Html:
    """One element. `aria_label` becomes `aria-label`; an attribute that is None is left out."""
    shown = "".join([_attribute(name, value) for name, value in attributes.items() if value is not None])
    return Html(f"<{tag}{shown}>{join(*children)}</{tag}>")


def join(*children: str) -> Html:
    """These pieces one after another."""
    return Html("".join([escape(child) for child in children]))


@functools.lru_cache(maxsize=256)  # nearly all are the same few styles, hundreds of times a panel
def _attribute(name: str, value: str | int) -> str:
    return f' {name.replace("_", "-")}="{html.escape(words.clean(str(value)))}"'


def size(text: str) -> int:
    """Bytes that the text takes as HTML in UTF-8."""
    return len(escape(text).encode())


def clip(text: str, most: int) -> str:
    """The text, cut so that it takes about `most` bytes as HTML; says how many characters are missing."""
    if len(text) <= most and size(text) <= most:
        return text
    kept = bisect.bisect_right(range(min(len(text), most) + 1), most, key=lambda end: size(text[:end])) - 1
    return f"{text[:kept]}… (+{words.left_out(len(text) - kept, 'character')})"

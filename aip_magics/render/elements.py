"""HTML elements as strings; every string that is not Html is escaped."""

from __future__ import annotations

import bisect
import functools
import html
import re

from aip_magics.printable import printable
from aip_magics.render import formatting

_BARE = re.compile(r"[A-Za-z0-9:;,.#()%_-]+")


class Html(str):
    """A string of HTML."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Escape text for HTML between tags; Html and quotes (frequent in JSON) are not changed."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text), quote=False))


def el(tag: str, *children: str, **attributes: str | int | None) -> Html:
    """Build an element. `aria_label` becomes `aria-label`; attributes that are None are omitted."""
    shown = "".join([_attribute(name, value) for name, value in attributes.items() if value is not None])
    return Html(f"<{tag}{shown}>{join(*children)}</{tag}>")


def join(*children: str) -> Html:
    """Concatenate these pieces."""
    return Html("".join([escape(child) for child in children]))


@functools.lru_cache(maxsize=256)  # a panel repeats the same few styles hundreds of times
def _attribute(name: str, value: str | int) -> str:
    text = str(value)
    # HTML needs no quotes around such values; in a hundred cells quotes would take the space of a whole row.
    shown = text if _BARE.fullmatch(text) else f'"{html.escape(printable(text))}"'
    return f" {name.replace('_', '-')}={shown}"


def size(text: str) -> int:
    """The size of the text as HTML in UTF-8, in bytes."""
    return len(escape(text).encode())


def clip(text: str, max_bytes: int) -> str:
    """Shorten the text to about `max_bytes` bytes of HTML, with the number of omitted characters at the end."""
    if len(text) <= max_bytes and size(text) <= max_bytes:
        return text
    kept = bisect.bisect_right(range(min(len(text), max_bytes) + 1), max_bytes, key=lambda end: size(text[:end])) - 1
    return f"{text[:kept]}… (+{formatting.describe_omitted(len(text) - kept, 'character')})"

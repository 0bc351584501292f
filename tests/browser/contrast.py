"""The contrast of text as the browser drew it, by the formula of WCAG 2."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator

TEXT = 4.5  # WCAG 2.2, 1.4.3, level AA
SIGNS = 3.0  # 1.4.11: what is no text (the word beside it says the same)

# Every text of an element with its colour, and the colours behind it from the inside out to the first that is solid.
_DRAWN = """root => {
  const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!text || !box.width || element.closest('[disabled], option, style, script')) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) {
      behind.push(getComputedStyle(each).backgroundColor);
    }
    const sign = Boolean(element.closest('[aria-hidden=true]'));
    found.push({text, colour: getComputedStyle(element).color, behind, sign});
  }
  return found;
}"""


def too_faint(element: Locator) -> tuple[int, list[str]]:
    """How many texts the element shows, and those that cannot be read well: `text: ratio`."""
    drawn: list[dict[str, Any]] = element.evaluate(_DRAWN)
    faint = []
    for each in drawn:
        behind = _over([_rgba(colour) for colour in each["behind"]])
        ratio = _ratio(_mixed(_rgba(each["colour"]), behind), behind)
        if ratio < (SIGNS if each["sign"] else TEXT):
            faint.append(f"{each['text'][:60]!r}: {ratio:.2f} ({each['colour']} on {behind})")
    return len(drawn), faint


def _rgba(colour: str) -> tuple[float, ...]:
    """`rgb(1, 2, 3)`, `rgba(1, 2, 3, 0.5)`."""
    values = [float(value) for value in colour[colour.index("(") + 1 : -1].replace("/", " ").replace(",", " ").split()]
    return tuple(values if len(values) == 4 else [*values, 1.0])


def _mixed(front: tuple[float, ...], back: tuple[float, ...]) -> tuple[float, ...]:
    share = front[3]
    return (*(share * f + (1 - share) * b for f, b in zip(front[:3], back[:3], strict=True)), 1.0)


def _over(colours: list[tuple[float, ...]]) -> tuple[float, ...]:
    """The colour that is seen where these lie one on another, the first on top, on a white page."""
    seen: tuple[float, ...] = (255.0, 255.0, 255.0, 1.0)
    for colour in reversed(colours):
        seen = _mixed(colour, seen)
    return seen


def _ratio(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [value / 255 for value in colour[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

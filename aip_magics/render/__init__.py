"""Values and events as HTML, plain text and JSON. Pure: nothing here prints, reads a clock or knows IPython.

A value becomes a Panel (`panels/`), and the panel is drawn: `html.of(value)`, `text.of(value)`; `json.of(value)` needs
none. A run is a RunState (`state.py`) that events are applied to.
"""

from aip_magics.render import html, json, text
from aip_magics.render.run_state import RunState

__all__ = ["RunState", "html", "json", "text"]

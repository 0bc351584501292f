"""Render values and events as HTML, plain text and JSON, without printing, reading a clock or importing IPython.

A value is converted to a Panel (`panels/`), and the panel is drawn: `html.of(value)`, `text.of(value)`;
`json.of(value)` needs no panel. A run is a RunState (`run_state.py`) that events are applied to.
"""

from aip_magics.render import html, json, text
from aip_magics.render.run_state import RunState

__all__ = ["RunState", "html", "json", "text"]

"""The widgets of a form: those of ipywidgets without their values in any representation, closed with the form.

ipywidgets writes the values of all controls into the `text/plain` of a box, and so into the saved notebook.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
from ipywidgets.widgets import widget_bool, widget_button, widget_description, widget_string

from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.fields import Field

VIEW = "application/vnd.jupyter.widget-view+json"


class RedactedWidget:
    """A widget whose representations do not contain its value."""

    def __repr__(self) -> str:
        return f"<aip_form: {type(self).__name__}>"

    def _repr_mimebundle_(self, **_unused: Any) -> dict[str, str]:
        return {"text/plain": repr(self)}


class WidgetFactory:
    """Creates the widgets of one form with shared layouts and styles, because each object is one more message."""

    def __init__(self) -> None:
        self._shared: dict[tuple[Any, ...], Any] = {}
        self._widgets: list[Any] = []

    def control(self, field: Field, **traits: Any) -> Any:
        """Create the control of a field, named by its label; `traits` are its values."""
        traits["description"] = field.label
        if field.kind == "check":
            return self._labeled(_Checkbox, widget_bool.CheckboxStyle, indent=True, **traits)
        if field.kind == "choice":
            return self._labeled(_Dropdown, **traits)
        kind = _Textarea if field.kind == "area" else _Text
        # Not on every key: a Korean syllable arrives in pieces during its composition.
        traits |= {"continuous_update": False, "placeholder": field.help}
        return self._labeled(kind, widget_string.TextStyle, **traits)

    def dropdown(self, label: str, options: Sequence[tuple[str, str]]) -> Any:
        """Create a dropdown list of options (label, value)."""
        return self._labeled(_Dropdown, description=label, options=list(options))

    def list(self, label: str) -> Any:
        """Create a list box."""
        return self._labeled(_Select, description=label, rows=10)

    def button(self, label: str, on_click: Callable[[], object], style_name: str = "") -> Any:
        """Create a button."""
        style = self._share(widget_button.ButtonStyle)
        button = self._make(_Button, description=label, button_style=style_name, style=style, layout=self._plain())
        button.on_click(lambda _unused: on_click())
        return button

    def html(self, value: str = "") -> Any:
        """Create an area for HTML in a column."""
        return self._make(_HTML, value=value, layout=self._plain(), style=self._share(widget_string.HTMLStyle))

    def note(self, value: str = "") -> Any:
        """Create an area for HTML next to a control, as wide as the remaining space."""
        layout = self._share(ipywidgets.Layout, flex="1 1 20em", overflow="hidden")
        return self._make(_HTML, value=value, layout=layout, style=self._share(widget_string.HTMLStyle))

    def row(self, *children: Any) -> Any:
        """Create a row of widgets."""
        layout = self._share(ipywidgets.Layout, flex_flow="row wrap", align_items="center")
        return self._make(_Box, children=children, layout=layout)

    def column(self, *children: Any) -> Any:
        """Create a column of widgets."""
        return self._make(_VBox, children=children, layout=self._plain())

    def close(self) -> None:
        """Empty and close all widgets, so that a saved widget state contains no input of the user."""
        for widget in self._widgets:
            widget.unobserve_all()
        for widget in self._widgets:
            if isinstance(widget, ipywidgets.widgets.widget_selection._Selection):
                widget.options = ()
            elif isinstance(widget, ipywidgets.Checkbox):
                widget.value = False
            elif hasattr(widget, "value"):
                widget.value = ""
        for widget in [*self._widgets, *self._shared.values()]:
            widget.close()

    def _labeled(self, kind: Any, style: Any = widget_description.DescriptionStyle, **options: Any) -> Any:
        layout = self._share(ipywidgets.Layout, width="30em", flex="0 0 auto")
        return self._make(kind, layout=layout, style=self._share(style, description_width="11em"), **options)

    def _plain(self) -> Any:
        return self._share(ipywidgets.Layout, overflow="hidden")

    def _share(self, kind: Any, **traits: str) -> Any:
        """Return the layout or style with these traits, created on first use."""
        key = (kind, *traits.items())
        if key not in self._shared:
            self._shared[key] = kind(**traits)
        return self._shared[key]

    def _make(self, kind: Any, **options: Any) -> Any:
        widget = kind(**options)
        self._widgets.append(widget)
        return widget


def mime_bundle(widget: Any) -> dict[str, Any]:
    """The MIME bundle of a widget, with a plain text without its content."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {VIEW: view, "text/plain": _("This form works only in a running notebook.")}


def _redacted(kind: Any) -> Any:
    return types.new_class(kind.__name__, (RedactedWidget, kind))


_Box = _redacted(ipywidgets.Box)
_VBox = _redacted(ipywidgets.VBox)
_Button = _redacted(ipywidgets.Button)
_Checkbox = _redacted(ipywidgets.Checkbox)
_Dropdown = _redacted(ipywidgets.Dropdown)
_HTML = _redacted(ipywidgets.HTML)
_Select = _redacted(ipywidgets.Select)
_Text = _redacted(ipywidgets.Text)
_Textarea = _redacted(ipywidgets.Textarea)

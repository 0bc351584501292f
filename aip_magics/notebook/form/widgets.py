"""The widgets of a form: ipywidgets' own, that never tell what was typed into them, and that go away when it is over.

ipywidgets writes the values of all controls into a box's `text/plain`, and so into the saved notebook.
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
    """A widget whose representations say nothing of what is in it."""

    def __repr__(self) -> str:
        return f"<aip_form: {type(self).__name__}>"

    def _repr_mimebundle_(self, **_unused: Any) -> dict[str, str]:
        return {"text/plain": repr(self)}


class WidgetFactory:
    """Makes the widgets of one form. They share layouts and styles: each one more is one more message."""

    def __init__(self) -> None:
        self._shared: dict[tuple[Any, ...], Any] = {}
        self._made: list[Any] = []

    def control(self, field: Field, **traits: Any) -> Any:
        """The control of a field, named by its label; `traits` are what it shows."""
        traits["description"] = field.label
        if field.kind == "check":
            return self._labelled(_Checkbox, widget_bool.CheckboxStyle, indent=True, **traits)
        if field.kind == "choice":
            return self._labelled(_Dropdown, **traits)
        kind = _Textarea if field.kind == "area" else _Text
        # Not on every key: a Korean syllable arrives in pieces while it is composed.
        traits |= {"continuous_update": False, "placeholder": field.help}
        return self._labelled(kind, widget_string.TextStyle, **traits)

    def dropdown(self, label: str, options: Sequence[tuple[str, str]]) -> Any:
        return self._labelled(_Dropdown, description=label, options=list(options))

    def list(self, label: str) -> Any:
        """A list of entries to choose one of."""
        return self._labelled(_Select, description=label, rows=10)

    def button(self, label: str, on_click: Callable[[], object], look: str = "") -> Any:
        style = self._share(widget_button.ButtonStyle)
        made = self._make(_Button, description=label, button_style=look, style=style, layout=self._plain())
        made.on_click(lambda _unused: on_click())
        return made

    def html(self, value: str = "") -> Any:
        """A place for HTML, in a column."""
        return self._make(_HTML, value=value, layout=self._plain(), style=self._share(widget_string.HTMLStyle))

    def note(self, value: str = "") -> Any:
        """A place for HTML beside a control: it takes the width that is left."""
        layout = self._share(ipywidgets.Layout, flex="1 1 20em", overflow="hidden")
        return self._make(_HTML, value=value, layout=layout, style=self._share(widget_string.HTMLStyle))

    def row(self, *children: Any) -> Any:
        layout = self._share(ipywidgets.Layout, flex_flow="row wrap", align_items="center")
        return self._make(_Box, children=children, layout=layout)

    def column(self, *children: Any) -> Any:
        return self._make(_VBox, children=children, layout=self._plain())

    def close(self) -> None:
        """Empty all of them, then close them: whoever saves the state of widgets finds nothing of what was typed."""
        for widget in self._made:
            widget.unobserve_all()
        for widget in self._made:
            if isinstance(widget, ipywidgets.widgets.widget_selection._Selection):
                widget.options = ()
            elif isinstance(widget, ipywidgets.Checkbox):
                widget.value = False
            elif hasattr(widget, "value"):
                widget.value = ""
        for widget in [*self._made, *self._shared.values()]:
            widget.close()

    def _labelled(self, kind: Any, style: Any = widget_description.DescriptionStyle, **options: Any) -> Any:
        layout = self._share(ipywidgets.Layout, width="30em", flex="0 0 auto")
        return self._make(kind, layout=layout, style=self._share(style, description_width="11em"), **options)

    def _plain(self) -> Any:
        return self._share(ipywidgets.Layout, overflow="hidden")

    def _share(self, kind: Any, **traits: str) -> Any:
        """The layout or style with these traits, made when it is first asked for."""
        key = (kind, *traits.items())
        if key not in self._shared:
            self._shared[key] = kind(**traits)
        return self._shared[key]

    def _make(self, kind: Any, **options: Any) -> Any:
        made = kind(**options)
        self._made.append(made)
        return made


def mime_bundle(widget: Any) -> dict[str, Any]:
    """What is displayed for a widget, with a text beside it that tells nothing of its content."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {VIEW: view, "text/plain": _("This form is open in a running notebook only.")}


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

"""The widgets of a form: ipywidgets' own, that never tell what was typed into them, and that go away when it is over.

ipywidgets writes the values of all controls into a box's `text/plain`, and so into the saved notebook.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from aip_magics.language import say
from aip_magics.notebook.form.fields import Field

VIEW = "application/vnd.jupyter.widget-view+json"


class Quiet:
    """A widget whose representations say nothing of what is in it."""

    def __repr__(self) -> str:
        return f"<aip_form: {type(self).__name__}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self)}


class Kit:
    """Makes the widgets of one form. They share layouts and styles: each one more is one more message."""

    def __init__(self) -> None:
        self._wide = ipywidgets.Layout(width="30em", flex="0 0 auto")
        self._note = ipywidgets.Layout(flex="1 1 20em", overflow="hidden")
        self._row = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self._plain = ipywidgets.Layout(overflow="hidden")
        self._text_style = ipywidgets.widgets.widget_string.TextStyle(description_width="11em")
        self._style = ipywidgets.widgets.widget_description.DescriptionStyle(description_width="11em")
        self._check_style = ipywidgets.widgets.widget_bool.CheckboxStyle(description_width="11em")
        self._html_style = ipywidgets.widgets.widget_string.HTMLStyle()
        self._button_style = ipywidgets.widgets.widget_button.ButtonStyle()
        self._shared = [value for value in vars(self).values() if isinstance(value, ipywidgets.Widget)]
        self._made: list[Any] = []

    def control(self, field: Field) -> Any:
        """The control of a field, named by its label."""
        options = {"description": field.label, "layout": self._wide}
        if field.kind == "check":
            return self._make(_Checkbox, indent=True, style=self._check_style, **options)
        if field.kind == "choice":
            return self._make(_Dropdown, style=self._style, **options)
        kind = _Textarea if field.kind == "area" else _Text
        # Not on every key: a Korean syllable arrives in pieces while it is composed.
        return self._make(kind, continuous_update=False, placeholder=field.help, style=self._text_style, **options)

    def dropdown(self, label: str, options: Sequence[tuple[str, str]]) -> Any:
        return self._make(_Dropdown, description=label, options=list(options), layout=self._wide, style=self._style)

    def list(self, label: str) -> Any:
        """A list of entries to choose one of."""
        return self._make(_Select, description=label, rows=10, layout=self._wide, style=self._style)

    def button(self, label: str, on_click: Callable[[], object], look: str = "") -> Any:
        made = self._make(_Button, description=label, button_style=look, style=self._button_style, layout=self._plain)
        made.on_click(lambda _: on_click())
        return made

    def html(self) -> Any:
        """A place for HTML, in a column."""
        return self._make(_HTML, layout=self._plain, style=self._html_style)

    def note(self) -> Any:
        """A place for HTML beside a control: it takes the width that is left."""
        return self._make(_HTML, layout=self._note, style=self._html_style)

    def row(self, *children: Any) -> Any:
        return self._make(_Box, children=children, layout=self._row)

    def column(self, *children: Any) -> Any:
        return self._make(_VBox, children=children, layout=self._plain)

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
        for widget in [*self._made, *self._shared]:
            widget.close()

    def _make(self, kind: Any, **options: Any) -> Any:
        made = kind(**options)
        self._made.append(made)
        return made


def bundle(widget: Any) -> dict[str, Any]:
    """What is displayed for a widget, with a text beside it that tells nothing of its content."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {VIEW: view, "text/plain": say("This form is open in a running notebook only.")}


def _quiet(kind: Any) -> Any:
    return types.new_class(kind.__name__, (Quiet, kind))


_Box = _quiet(ipywidgets.Box)
_VBox = _quiet(ipywidgets.VBox)
_Button = _quiet(ipywidgets.Button)
_Checkbox = _quiet(ipywidgets.Checkbox)
_Dropdown = _quiet(ipywidgets.Dropdown)
_HTML = _quiet(ipywidgets.HTML)
_Select = _quiet(ipywidgets.Select)
_Text = _quiet(ipywidgets.Text)
_Textarea = _quiet(ipywidgets.Textarea)

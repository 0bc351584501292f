"""The widgets of the form: they show a FormState and report the actions of the user, without any logic."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from aip_magics.i18n import gettext as _
from aip_magics.notebook.form import markup, preview
from aip_magics.notebook.form.browser import Browser
from aip_magics.notebook.form.fields import Field, fields, get_label
from aip_magics.notebook.form.state import FormState, Value
from aip_magics.notebook.form.widgets import WidgetFactory
from aip_magics.render import html


class Actions(Protocol):
    """The actions of the user in a form."""

    def set(self, id: str, value: Value) -> None: ...
    def test(self) -> object: ...
    def deploy(self) -> object: ...
    def cancel(self) -> object: ...


class View:
    """The widgets of a form: `controls` and `notes` by the id of their field."""

    def __init__(self, state: FormState, actions: Actions) -> None:
        self._state = state
        self._actions = actions
        self._lock = threading.RLock()
        self._showing = False
        self._kit = WidgetFactory()
        self._fields = fields()
        # Created with their values: each later change would be one more message to the page.
        self.controls = {field.id: self._kit.control(field, **self._traits(field)) for field in self._fields}
        self.notes = {field.id: self._kit.note(self._note(field.id)) for field in self._fields}
        self.browse = self._kit.button(_("Browse"), lambda: self.browser.open(self._state.deployment.origin))
        self.browser = Browser(self._kit, lambda: self._state.target, lambda uri: actions.set("origin", uri))
        self.kind = self._kit.dropdown(_("Show as"), preview.kinds())
        self.preview = self._kit.html()
        self.general = self._kit.html()
        self.test_button = self._kit.button(_("Test"), actions.test)
        self.deploy_button = self._kit.button(_("Deploy"), actions.deploy, "primary")
        self.cancel_button = self._kit.button(_("Cancel"), actions.cancel)
        self.result = self._kit.html()
        self.box = self._kit.column(*self._children())
        self.show(state)
        for id, control in self.controls.items():
            control.observe(self._on_change(id), names="value")
        self.kind.observe(lambda _unused: self._show_preview(), names="value")

    def show(self, state: FormState) -> None:
        """Show a state: values, choices, sources, problems, the preview, and the enabled buttons."""
        with self._lock:
            self._state = state
            self._showing = True  # these changes are not actions of the user
            try:
                for field in self._fields:
                    self._show_field(field)
                self._show_preview()
                self.general.value = markup.field_note("", state.problems_of(""))
                self.deploy_button.disabled = not state.can_deploy
                self.test_button.disabled = not state.can_test
            finally:
                self._showing = False

    def show_test_running(self) -> None:
        """Show that the test is running."""
        self.test_button.disabled = True
        self.result.value = markup.busy(_("predicting locally …"))

    def show_test_results(self, *results: Any) -> None:
        """Show the results of the test: predictions and findings, or an error."""
        self.result.value = "".join(map(html.of, results))
        self.test_button.disabled = not self._state.can_test

    def close(self) -> None:
        """Empty and close all widgets."""
        with self._lock:
            self.browser.close()
            self._kit.close()

    def _children(self) -> list[Any]:
        shown: list[Any] = []
        section = ""
        for field in self._fields:
            if field.section != section:
                section = field.section
                shown.append(self._kit.html(markup.heading(section)))
            browse = [self.browse] if field.id == "origin" else []
            shown.append(self._kit.row(self.controls[field.id], *browse, self.notes[field.id]))
            if browse:
                shown.append(self.browser.box)
        buttons = self._kit.row(self.test_button, self.deploy_button, self.cancel_button)
        return [*shown, self.kind, self.preview, self.general, buttons, self.result]

    def _show_field(self, field: Field) -> None:
        control = self.controls[field.id]
        for name, shown in self._traits(field).items():
            if getattr(control, name) != shown:
                setattr(control, name, shown)
        self.notes[field.id].value = self._note(field.id)

    def _traits(self, field: Field) -> dict[str, Any]:
        """The traits of the control of a field; the choices precede the value, which is one of them."""
        state, id = self._state, field.id
        offered = tuple((get_label(id, each), each) for each in state.choices(id)) if field.kind == "choice" else None
        return {
            **({} if offered is None else {"options": offered}),
            "value": state.values.get(id, False if field.kind == "check" else ""),
            "disabled": not state.applies(id),
        }

    def _note(self, id: str) -> str:
        state = self._state
        return markup.field_note(state.unusable.get(id) or state.source(id), state.problems_of(id))

    def _show_preview(self) -> None:
        self.preview.value = markup.preview(preview.preview(self.kind.value, self._state))

    def _on_change(self, id: str) -> Callable[[Any], None]:
        def changed(change: Any) -> None:
            if not self._showing:
                self._actions.set(id, change["new"])

        return changed

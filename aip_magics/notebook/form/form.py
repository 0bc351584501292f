"""`aip_form`: the state, its view, and what the buttons do."""

from __future__ import annotations

import threading

from aip_magics.commands.form import FormRequest
from aip_magics.errors import AipError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form import local_trial, summary
from aip_magics.notebook.form.background_deploy import EMPTY, BackgroundDeploy, FormReporter, OutputSlots, show
from aip_magics.notebook.form.state import FormState, Value
from aip_magics.notebook.form.view import View
from aip_magics.notebook.form.widgets import WidgetFactory, mime_bundle
from aip_magics.render import html, text
from aip_magics.render.blocks import Panel
from aip_magics.spec import Version

OUTPUTS = 3  # of the run: its panel, the version, its predictions


class Form:
    """A form on the screen. What its controls and buttons do can be done here, too: `set`, `test`, `deploy`, `cancel`.

    `state` is what the form asks for; `result` the Version that was made, `error` what went wrong instead. `wait`
    waits until a deploy is over.
    """

    def __init__(self, asked: FormRequest) -> None:
        self._asked = asked
        self._lock = threading.RLock()
        self._run: BackgroundDeploy | None = None
        self._test: threading.Thread | None = None
        self.is_open = True
        regional = False if asked.args.regions or asked.args.region == "global" else None
        self.state = FormState.of(asked.deployment, asked.settings, _("argument"), regional=regional)
        self.view = View(self.state, self)
        # Made in the cell, not by the click on Deploy: what a page says of a widget goes to the subshell of the kernel
        # in which the widget was last changed, and JupyterLab ends that of a click when the form's widgets are closed:
        # the kernel drops what comes for it then (https://github.com/ipython/ipykernel/issues/1557).
        self._stopping = WidgetFactory()
        self._stop_button = self._stopping.button(_("Stop"), self.stop)
        self._shown = show(mime_bundle(self.view.box))
        self._outputs = OutputSlots(OUTPUTS)
        self._face: FormReporter | None = None

    @property
    def result(self) -> Version | None:
        """The version that was made; None before, and where the deploy was stopped or failed."""
        value = self._run.value if self._run else None
        return value if isinstance(value, Version) else None

    @property
    def error(self) -> AipError | None:
        """What stopped the deploy."""
        return self._run.error if self._run else None

    def set(self, id: str, value: Value) -> None:
        """Fill in a field, as its control does."""
        with self._lock:
            if self.is_open:
                self.state = self.state.set(id, value)
                self.view.show(self.state)

    def test(self) -> None:
        """Predict the test instances here, in a thread; the answer appears in the form."""
        with self._lock:
            if not self.is_open or not self.state.can_test:
                return
            self.view.testing()
            state = self.state
        self._test = threading.Thread(target=self._try, args=(state,), name="aip_magics form test", daemon=True)
        self._test.start()

    def deploy(self) -> bool:
        """Deploy in a thread, unless something is wrong: then False, and the form says what."""
        with self._lock:
            if not self.is_open:
                return False
            self.state = self.state.looked_again()
            if not self.state.can_deploy:
                self.view.show(self.state)
                return False
            self._close(summary.deployed(self.state))
            self._face = FormReporter(self._outputs)
            self._outputs.button.update(mime_bundle(self._stop_button), raw=True)
            self._run = BackgroundDeploy(self._asked, self.state, self._face, self._ended)
            return True

    def cancel(self) -> None:
        """Close the form: nothing is sent, nothing that was typed is kept."""
        with self._lock:
            if self.is_open:
                self._close(summary.cancelled())
                self._stopping.close()

    def stop(self) -> None:
        """Stop a deploy as an interrupt does: before the operation nothing goes on, after it the operation does."""
        if self._face is not None:
            self._face.stop()

    def wait(self, seconds: float | None = None) -> Version | None:
        """Wait until the test and the deploy are over; returns the Version. Raises what stopped the deploy."""
        if self._test is not None:
            self._test.join(seconds)
        if self._run is not None:
            self._run.wait(seconds)
        if self.error is not None:
            raise self.error
        return self.result

    def __repr__(self) -> str:
        return f"<aip_form: {'open' if self.is_open else 'over'}>"

    def _ipython_display_(self) -> None:
        """The form is on the screen already, in the output of the cell that made it."""

    def _try(self, state: FormState) -> None:
        found = local_trial.trial_outcome(state)
        with self._lock:
            if self.is_open:
                self.view.tested(*found)

    def _ended(self) -> None:
        self._outputs.button.update(EMPTY, raw=True)
        self._stopping.close()

    def _close(self, left: Panel) -> None:
        self.is_open = False
        # First the saved text, then the widgets: a closed widget that is still shown would be an error on the page.
        self._shown.update({"text/html": html.draw(left), "text/plain": text.draw(left)}, raw=True)
        self.view.close()

"""The form: its state, its view, and the actions of its buttons."""

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
    """A displayed form. The methods `set`, `test`, `deploy` and `cancel` do the same as its controls and buttons.

    `state` is the state of the form; after the deployment `result` is the created Version, or `error` the failure.
    `wait` waits for the end of the deployment.
    """

    def __init__(self, request: FormRequest) -> None:
        self._request = request
        self._lock = threading.RLock()
        self._run: BackgroundDeploy | None = None
        self._test: threading.Thread | None = None
        self.is_open = True
        regional = False if request.args.regions or request.args.region == "global" else None
        self.state = FormState.of(
            request.deployment, request.settings, _("argument"), regional=regional, resolve=request.resolve
        )
        self.view = View(self.state, self)
        # Created in the cell, not by the click on Deploy: messages of a page about a widget go to the subshell of the
        # kernel that changed the widget last, and JupyterLab ends the subshell of a click when the widgets of the form
        # are closed; the kernel then drops the messages (https://github.com/ipython/ipykernel/issues/1557).
        self._stopping = WidgetFactory()
        self._stop_button = self._stopping.button(_("Stop"), self.stop)
        self._shown = show(mime_bundle(self.view.box))
        self._outputs = OutputSlots(OUTPUTS)
        self._reporter: FormReporter | None = None

    @property
    def result(self) -> Version | None:
        """The created version; None before the end, and after an interruption or a failure."""
        value = self._run.value if self._run else None
        return value if isinstance(value, Version) else None

    @property
    def error(self) -> AipError | None:
        """The error that ended the deployment; None without an error."""
        return self._run.error if self._run else None

    def set(self, id: str, value: Value) -> None:
        """Set the value of a field."""
        with self._lock:
            if self.is_open:
                self.state = self.state.set(id, value)
                self.view.show(self.state)

    def test(self) -> None:
        """Predict the test instances locally, in a thread; the result appears in the form."""
        with self._lock:
            if not self.is_open or not self.state.can_test:
                return
            self.view.show_test_running()
            state = self.state
        self._test = threading.Thread(target=self._run_test, args=(state,), name="aip_magics form test", daemon=True)
        self._test.start()

    def deploy(self) -> bool:
        """Start the deployment in a thread.

        Returns:
            Whether the deployment was started; if not, the form shows the errors.
        """
        with self._lock:
            if not self.is_open:
                return False
            self.state = self.state.inspected_again()
            if not self.state.can_deploy:
                self.view.show(self.state)
                return False
            self._close(summary.deployed(self.state))
            self._reporter = FormReporter(self._outputs)
            self._outputs.button.update(mime_bundle(self._stop_button), raw=True)
            self._run = BackgroundDeploy(self._request, self.state, self._reporter, self._on_end)
            return True

    def cancel(self) -> None:
        """Close the form without sending or keeping any input."""
        with self._lock:
            if self.is_open:
                self._close(summary.cancelled())
                self._stopping.close()

    def stop(self) -> None:
        """Interrupt the deployment; an operation that has started keeps running."""
        if self._reporter is not None:
            self._reporter.stop()

    def wait(self, seconds: float | None = None) -> Version | None:
        """Wait for the end of the test and the deployment.

        Args:
            seconds: The maximum time for each; None for no limit.

        Returns:
            The created version, if any.

        Raises:
            AipError: The deployment failed.
        """
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
        """Display nothing: the output of the cell that created the form already shows it."""

    def _run_test(self, state: FormState) -> None:
        results = local_trial.run_local_trial(state)
        with self._lock:
            if self.is_open:
                self.view.show_test_results(*results)

    def _on_end(self) -> None:
        self._outputs.button.update(EMPTY, raw=True)
        self._stopping.close()

    def _close(self, summary_panel: Panel) -> None:
        self.is_open = False
        # First the summary, then the widgets: a closed widget that is still displayed would show an error.
        self._shown.update({"text/html": html.draw(summary_panel), "text/plain": text.draw(summary_panel)}, raw=True)
        self.view.close()

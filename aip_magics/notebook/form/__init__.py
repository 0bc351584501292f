"""The form of the console's pages in a notebook: a pure state (`state`), its widgets (`view`), its buttons (`form`).

Imports ipywidgets: import it where a form is shown.
"""

from aip_magics.notebook.form.form import Form

__all__ = ["Form"]

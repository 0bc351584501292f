"""The deployment form in a notebook: an immutable state (`state`), its widgets (`view`), its actions (`form`).

The package imports ipywidgets; import it on first use.
"""

from aip_magics.notebook.form.form import Form

__all__ = ["Form"]

"""From a trained model in a notebook to a served, described AI Platform Prediction version.

`%load_ext aip_magics` brings the magics (`%%aip_deploy` …); `aip-magics` is the same on the command line. Importing the
package imports nothing heavy and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aip_magics.notebook.form.api import aip_form

__all__ = ["__version__", "aip_form", "load_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext aip_magics`."""
    from aip_magics.commands import verbs
    from aip_magics.notebook import configuration
    from aip_magics.notebook.register import register

    register(shell, verbs, configuration)


def __getattr__(name: str) -> Any:
    """The functions of the notebook, imported when they are first asked for."""
    if name == "aip_form":
        from aip_magics.notebook.form.api import aip_form

        return aip_form
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Deploy a trained model from a notebook to AI Platform Prediction, or to an embedded server with the same API.

`%load_ext aip_magics` registers the magics (`%%aip_deploy` …); the command `aip-magics` offers the same verbs.
Importing the package imports nothing heavy and has no side effects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aip_magics.notebook.form.api import aip_form

__all__ = ["__version__", "aip_form", "load_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; called by `%load_ext aip_magics`."""
    from aip_magics.commands import verbs
    from aip_magics.notebook import configuration
    from aip_magics.notebook.register import register

    register(shell, verbs, configuration)


def __getattr__(name: str) -> Any:
    """Import the functions for notebooks on first use."""
    if name == "aip_form":
        from aip_magics.notebook.form.api import aip_form

        return aip_form
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

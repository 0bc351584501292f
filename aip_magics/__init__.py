"""From a trained model in a notebook to a served, described AI Platform Prediction version.

`%load_ext aip_magics` brings the magics (`%%aip_deploy` …); `aip-magics` is the same on the command line. Importing the
package imports nothing heavy and changes nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "load_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext aip_magics`."""
    from aip_magics.notebook.register import register

    register(shell)

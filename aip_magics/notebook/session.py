"""State of one notebook: its language, its history, and the configuration of its shell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import i18n
from aip_magics.commands.common.history_log import HistoryLog, now, open_history_log
from aip_magics.notebook.configuration import AipMagics, get_session


def choose_language(session: AipMagics) -> None:
    """Use the language of the user of this notebook."""
    i18n.use(i18n.choose(os.environ, session.language))


def get_history_log(names: Mapping[str, Any], data_dir: Path) -> HistoryLog:
    """Open the history of the running notebook, keyed by its path, or by the directory if the path is unknown."""
    # The Jupyter server sets the environment variable, VS Code the name; nbclient and terminals set neither.
    path = os.environ.get("JPY_SESSION_NAME") or names.get("__vsc_ipynb_file__")
    return HistoryLog(data_dir, str(path), now) if path else open_history_log(data_dir)


def current_session() -> AipMagics | None:
    """The configuration of the current shell; None without a shell."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return None if shell is None else get_session(shell)

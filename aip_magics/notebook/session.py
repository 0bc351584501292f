"""What belongs to one notebook: its language, its journal, and the configuration of the shell that runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import i18n
from aip_magics.commands.common.history_log import HistoryLog, now, open_history_log
from aip_magics.notebook.configuration import AipMagics, get_session


def choose_language(session: AipMagics) -> None:
    """Say everything in the language of this notebook's user from now on."""
    i18n.use(i18n.choose(os.environ, session.language))


def get_history_log(names: Mapping[str, Any], data_dir: Path) -> HistoryLog:
    """The journal of the notebook that runs: keyed by its path, or by the directory where nobody tells the path."""
    # Jupyter's server sets the variable, VS Code the name; nbclient and a terminal have neither.
    path = os.environ.get("JPY_SESSION_NAME") or names.get("__vsc_ipynb_file__")
    return HistoryLog(data_dir, str(path), now) if path else open_history_log(data_dir)


def current_session() -> AipMagics | None:
    """That of the shell this code runs in; None where there is none."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return None if shell is None else get_session(shell)

"""What belongs to one notebook: its configuration, the settings of its last run, its journal."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets import Unicode
from traitlets.config import Configurable

from aip_magics import language
from aip_magics.commands.config import NAMES
from aip_magics.commands.journal import Journal, journal_of_directory, now


class AipMagics(Configurable):
    """Defaults of the magics: `%config AipMagics.project = "p"`, or `c.AipMagics.project` in IPython's own file."""

    target = Unicode("", help="local: the embedded server; aiplatform: AI Platform or a compatible endpoint").tag(
        config=True
    )
    project = Unicode("", help="project of the models").tag(config=True)
    region = Unicode("", help="regional endpoint, or global").tag(config=True)
    endpoint = Unicode("", help="base URL of a compatible endpoint").tag(config=True)
    storage_endpoint = Unicode("", help="base URL of its Cloud Storage").tag(config=True)
    bucket = Unicode("", help="where models are uploaded to").tag(config=True)
    language = Unicode("", help="en or ko; left out: AIP_MAGICS_LANG, then the locale").tag(config=True)

    last_run: Mapping[str, str] = {}

    def session(self) -> dict[str, str]:
        """The settings that are set."""
        return {name: value for name in NAMES if (value := str(getattr(self, name)))}

    def configure(self, changes: Mapping[str, str | None]) -> None:
        """Change settings (None: no longer set). The last run no longer counts: what is configured after it wins."""
        for name, value in changes.items():
            setattr(self, name, value or "")
        self.last_run = {}


_SESSIONS: weakref.WeakKeyDictionary[Any, AipMagics] = weakref.WeakKeyDictionary()


def session_of(shell: Any) -> AipMagics:
    """The configuration of this shell; made, and known to `%config`, when it is first asked for."""
    found = _SESSIONS.get(shell)
    if found is None:
        found = AipMagics(parent=shell)
        found.observe(lambda _: found.configure({}), names=list(NAMES))  # also what `%config` sets wins
        shell.configurables.append(found)
        _SESSIONS[shell] = found
    return found


def speak(session: AipMagics) -> None:
    """Say everything in the language of this notebook's user from now on."""
    language.use(language.choose(os.environ, session.language))


def journal_of(names: Mapping[str, Any], data_dir: Path) -> Journal:
    """The journal of the notebook that runs: keyed by its path, or by the directory where nobody tells the path."""
    # Jupyter's server sets the variable, VS Code the name; nbclient and a terminal have neither.
    path = os.environ.get("JPY_SESSION_NAME") or names.get("__vsc_ipynb_file__")
    return Journal(data_dir, str(path), now) if path else journal_of_directory(data_dir)


def current_session() -> AipMagics | None:
    """That of the shell this code runs in; None where there is none."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return None if shell is None else session_of(shell)

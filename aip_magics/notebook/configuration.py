"""What `%config AipMagics` sets, known to IPython before any magic is used.

The start-up file runs this file by its path, as it does `register.py`: nothing of the package is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Unicode, observe
from traitlets.config import Configurable


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
        names = [name for name in self.class_trait_names(config=True) if name != "language"]
        return {name: value for name in names if (value := str(getattr(self, name)))}

    def configure(self, changes: Mapping[str, str | None]) -> None:
        """Change settings (None: no longer set). The last run no longer counts: what is configured after it wins."""
        for name, value in changes.items():
            setattr(self, name, value or "")
        self.last_run = {}

    @observe("target", "project", "region", "endpoint", "storage_endpoint", "bucket")
    def _configured(self, _change: Any) -> None:
        self.last_run = {}  # also what `%config` sets wins


def get_session(shell: Any) -> AipMagics:
    """The configuration of this shell; made, and known to `%config`, when it is first asked for."""
    # By its name: the start-up file has a class of its own, from the same text.
    name = AipMagics.__name__
    found: AipMagics | None = next((one for one in shell.configurables if type(one).__name__ == name), None)
    if found is None:
        found = AipMagics(parent=shell)
        shell.configurables.append(found)
    return found

"""The configuration `%config AipMagics`, available in IPython before the first use of a magic.

The start-up file runs this file by its path, like `register.py`, so the file must not import the package.
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
    storage_endpoint = Unicode("", help="base URL of the Cloud Storage of the endpoint").tag(config=True)
    bucket = Unicode("", help="bucket for uploads").tag(config=True)
    language = Unicode("", help="en or ko; default: AIP_MAGICS_LANG, then the locale").tag(config=True)

    last_run: Mapping[str, str] = {}

    def session(self) -> dict[str, str]:
        """The settings that have a value."""
        names = [name for name in self.class_trait_names(config=True) if name != "language"]
        return {name: value for name in names if (value := str(getattr(self, name)))}

    def configure(self, changes: Mapping[str, str | None]) -> None:
        """Change settings (None: unset). Later configuration takes precedence over the settings of the last run."""
        for name, value in changes.items():
            setattr(self, name, value or "")
        self.last_run = {}

    @observe("target", "project", "region", "endpoint", "storage_endpoint", "bucket")
    def _configured(self, _change: Any) -> None:
        self.last_run = {}  # `%config` takes precedence, too


def get_session(shell: Any) -> AipMagics:
    """Return the configuration of a shell, created and registered with `%config` on first use."""
    # By name: the start-up file has its own class, executed from the same source.
    name = AipMagics.__name__
    found: AipMagics | None = next((one for one in shell.configurables if type(one).__name__ == name), None)
    if found is None:
        found = AipMagics(parent=shell)
        shell.configurables.append(found)
    return found

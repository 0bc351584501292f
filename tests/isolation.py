"""A data directory and a gcloud configuration of a test's own: the user's are neither read nor written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def isolate(patch: pytest.MonkeyPatch, directory: Path) -> Path:
    """Point the environment to directories below this one; the data directory, which is not there yet."""
    for name in list(os.environ):
        if name.startswith(("AIP_MAGICS_", "CLOUDSDK_", "GOOGLE_")):
            patch.delenv(name)
    patch.setenv("AIP_MAGICS_HOME", str(directory / "aip"))
    patch.setenv("CLOUDSDK_CONFIG", str(directory / "gcloud"))
    patch.setenv("AIP_MAGICS_LANG", "en")
    return directory / "aip"

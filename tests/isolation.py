"""A data directory and a gcloud configuration of a test's own: the user's are neither read nor written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def isolate(patch: pytest.MonkeyPatch, directory: Path, suffix: str = "") -> Path:
    """Point the environment to directories below this one, which do not exist yet; returns the data directory."""
    home = directory / f"aip{suffix}"
    for name in list(os.environ):
        if name.startswith(("AIP_MAGICS_", "CLOUDSDK_", "GOOGLE_")):
            patch.delenv(name)
    patch.setenv("AIP_MAGICS_HOME", str(home))
    patch.setenv("CLOUDSDK_CONFIG", str(directory / f"gcloud{suffix}"))
    patch.setenv("AIP_MAGICS_LANG", "en")
    return home

"""A package archive is judged before anything of it is run; one that is refused is told as the service told it."""

from __future__ import annotations

from pathlib import Path

from aip_magics.artifacts.packages.archives import Archive, is_top, read
from aip_magics.artifacts.packages.bounds import Refused
from aip_magics.prediction.packages.failures import failed

__all__ = ["Archive", "examine"]


def examine(path: Path) -> Archive:
    """Look at a source distribution (.tar.gz, .tgz, .zip) or a wheel (.whl) without running or unpacking it.

    PredictionError (FAILED_TO_LOAD_MODEL) where it is damaged, no package, has a member that leads out of it, or
    unpacks to more than 2 GiB.
    """
    try:
        return read(path, keep=lambda name: is_top(name, "pyproject.toml"))
    except Refused as refused:
        raise failed(path.name, refused.reason, fix=refused.fix) from refused.__cause__

"""What targets can do. A target names what is missing, each with the reason, so that nobody asks for its kind."""

from __future__ import annotations

import enum


class Capability(enum.Enum):
    """Something that one target can do and another cannot."""

    OWN_PYTHON = enum.auto()
    """Serves a version with the Python that deploys it, or with the environment of `--env`."""

    RUNTIME_VERSIONS = enum.auto()
    """Has runtime versions, which choose the libraries of a version."""

    PACKAGES = enum.auto()
    """Installs custom code: packageUris and predictionClass."""

    CONTAINERS = enum.auto()
    """Serves a version by a container image."""

    SCALE_TO_ZERO = enum.auto()
    """Ends the last node of a version without requests."""

    TRAFFIC_SPLIT = enum.auto()
    """Divides the requests to a model among several versions."""

    UNDEPLOY = enum.auto()
    """Ends the nodes of a version without deleting it."""

    VERSION_LOGS = enum.auto()
    """Tells the runtime, the statistics and the logs of a version."""

    NEWEST_OPERATIONS_FIRST = enum.auto()
    """Lists operations in an order: the newest first."""

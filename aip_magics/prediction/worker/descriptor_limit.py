"""The limit of file descriptors of a worker: the one that the server was started with."""

import os

SOFT_LIMIT = "AIP_SOFT_DESCRIPTORS"  # as in `worker_environ`, which this program cannot import


def restore() -> None:
    """Lower the soft limit to what it was before the server raised it for its own sake.

    Libraries that use `select` cannot handle descriptors above 1023, and some programs close all descriptors up to the
    limit before they start another one.
    """
    soft = os.environ.pop(SOFT_LIMIT, "")
    if not soft:
        return
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), hard))
    except (ImportError, OSError, ValueError):
        pass  # then it keeps the higher one

"""A process that waits for a confined worker to end and removes the worker's temporary directory.

The worker itself may empty the directory but not remove it, which would require a permission on the parent directory.
For forked workers, the fork server removes the directory.
"""

import os
import select
import shutil

from . import landlock

PIDFD_OPEN = 434


def start(temp_dir: str) -> None:
    """Start a process that removes the directory when this process ends, for whatever reason."""
    # A pidfd, not the kernel's parent-death signal: that is sent by the parent, which is confined by then.
    worker = landlock.checked_syscall(PIDFD_OPEN, os.getpid(), 0)
    if os.fork() == 0:
        try:
            os.setsid()  # otherwise the process would be killed with the worker
            os.chdir("/")
            opened = [int(name) for name in os.listdir("/proc/self/fd")]
            for descriptor in opened:
                if descriptor != worker:  # the owner must see the worker's connection end
                    try:
                        os.close(descriptor)
                    except OSError:  # the descriptor of the listing itself
                        continue
            poll = select.poll()
            poll.register(worker, select.POLLIN)
            poll.poll()
            shutil.rmtree(temp_dir, ignore_errors=True)
        finally:
            os._exit(0)
    os.close(worker)

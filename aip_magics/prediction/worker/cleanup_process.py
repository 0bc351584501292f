"""A process that waits for a confined worker's end and removes its temporary directory, which the worker itself may
empty but not remove: that would take a right on what lies around it. A forked worker's parent does the same."""

import os
import select
import shutil

from . import landlock

PIDFD_OPEN = 434


def start(temp_dir: str) -> None:
    """Have the directory removed when this process ends, however that comes."""
    # Not the signal that the kernel sends at a parent's death: it comes from the parent, which is confined then.
    worker = landlock.called(PIDFD_OPEN, os.getpid(), 0)
    if os.fork() == 0:
        try:
            os.setsid()  # or it would be killed with us
            os.chdir("/")
            opened = [int(name) for name in os.listdir("/proc/self/fd")]
            for descriptor in opened:
                if descriptor != worker:  # the owner must see that we hung up
                    try:
                        os.close(descriptor)
                    except OSError:  # that of the list itself
                        continue
            poll = select.poll()
            poll.register(worker, select.POLLIN)
            poll.poll()
            shutil.rmtree(temp_dir, ignore_errors=True)
        finally:
            os._exit(0)
    os.close(worker)

"""A process that waits for a confined worker's end and removes its temporary directory, which the worker itself may
empty but not remove: that would take a right on what lies around it. A forked worker's parent does the same."""

import ctypes
import os
import shutil
import signal

from . import landlock

PARENT_DEATH_SIGNAL = 1  # of prctl


def start(temp_dir: str) -> None:
    """Have the directory removed when this process ends, however that comes."""
    worker = os.getpid()
    if os.fork() == 0:
        try:
            os.setsid()  # or it would be killed with us
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            landlock.libc.prctl(PARENT_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGTERM))
            os.chdir("/")
            os.closerange(0, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # the owner must see that we hung up
            if os.getppid() == worker:
                signal.sigwait({signal.SIGTERM})
            shutil.rmtree(temp_dir, ignore_errors=True)
        finally:
            os._exit(0)

"""How many threads BLAS and OpenMP may use, in a process whose parent has imported them with one."""

import os
import sys
import traceback
from typing import Any

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_found = []  # type: list[Any]


def library() -> "Any":
    return sys.modules.get("threadpoolctl")  # scikit-learn brings it


def find() -> None:
    """In a parent: find the libraries that have threads. It takes 40 ms, which the workers then need not spend."""
    control = library()
    if hasattr(control, "ThreadpoolController"):
        try:
            _found.append(control.ThreadpoolController())
        except Exception:  # noqa: BLE001 (the workers then keep to one thread)
            traceback.print_exc()


def set_thread_limit(threads: int) -> None:
    """Let libraries use so many threads: those to be imported read the variables, the others are told."""
    if os.environ.get(VARIABLES[0]) == str(threads):
        return
    for name in VARIABLES:
        os.environ[name] = str(threads)
    for controller in _found:
        try:
            controller.limit(limits=threads)
        except Exception:  # noqa: BLE001 (one thread is right, too, only slower)
            traceback.print_exc()

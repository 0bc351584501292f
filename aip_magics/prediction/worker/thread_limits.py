"""Set the threads of BLAS and OpenMP, in a process whose fork server imported them with one thread."""

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
_controllers = []  # type: list[Any]


def library() -> "Any":
    return sys.modules.get("threadpoolctl")  # a dependency of scikit-learn


def find_libraries() -> None:
    """In a fork server: find the libraries with threads, which takes 40 ms, once for all workers."""
    control = library()
    if hasattr(control, "ThreadpoolController"):
        try:
            _controllers.append(control.ThreadpoolController())
        except Exception:  # noqa: BLE001 (the workers then use one thread)
            traceback.print_exc()


def set_thread_limit(threads: int) -> None:
    """Limit the threads of libraries: by variables before their import, by threadpoolctl afterwards."""
    if os.environ.get(VARIABLES[0]) == str(threads):
        return
    for name in VARIABLES:
        os.environ[name] = str(threads)
    for controller in _controllers:
        try:
            controller.limit(limits=threads)
        except Exception:  # noqa: BLE001 (one thread is correct too, only slower)
            traceback.print_exc()

"""What a worker process inherits: environment variables without secrets, and a bounded number of threads."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

# Names that hold credentials or lead to them. A model's code has no business with any of them.
_SECRET_NAME = re.compile(
    r"^(GOOGLE|GCLOUD|GCP|CLOUDSDK|AWS|AZURE|AIP_MAGICS|BOTO|KUBE|SSH|GPG|DOCKER|GIT_ASKPASS)"
    r"|TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|(^|_)AUTH(_|$)",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
# Not secret, but the kernel's own: an inline plotting backend, the debugger's and the interpreter's switches.
_OWN = frozenset({"MPLBACKEND", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "PYTHONHOME"})
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def environment(variables: Mapping[str, str], python: str, threads: int) -> dict[str, str]:
    """The environment of a worker run by the interpreter `python`: `variables` without secrets.

    `threads` bounds the threads of OpenMP and BLAS. PYTHONPATH is kept for this process's own interpreter only.
    """
    kept = {name: value for name, value in variables.items() if not _withheld(name, value)}
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)
    kept.update(dict.fromkeys(_THREADS, str(threads)))
    kept.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # what TensorFlow tells about itself would bury the model's own log
    kept["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # printing must not be able to fail
    return kept


def _withheld(name: str, value: str) -> bool:
    return name in _OWN or bool(_SECRET_NAME.search(name)) or bool(_URL_WITH_PASSWORD.search(value))

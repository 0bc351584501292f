"""Select the environment variables that a worker process inherits, and limit its threads."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

SOFT_DESCRIPTORS = "AIP_SOFT_DESCRIPTORS"  # the soft limit that the server was started with, for its workers
# An allowlist: variables that an interpreter and numeric libraries read. A list of secret names can never be complete
# (a password may be called GH_PAT or DSN). AI Platform passed no user variables on, so no model needs any other.
_NAMES = frozenset(
    """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TZDIR TMPDIR TEMP TMP
    LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH DYLD_FRAMEWORK_PATH DYLD_INSERT_LIBRARIES
    MALLOC_ARENA_MAX MALLOC_TRIM_THRESHOLD_ MALLOC_CONF VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV
    PYTHONPATH PYTHONHASHSEED PYTHONIOENCODING PYTHONUTF8 PYTHONCOERCECLOCALE PYTHONNOUSERSITE PYTHONUSERBASE
    PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED PYTHONMALLOC PYTHONTZPATH
    XLA_FLAGS CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_ROOT CUDA_LAUNCH_BLOCKING
    CUDA_MODULE_LOADING CUDA_CACHE_DISABLE CUDA_CACHE_MAXSIZE NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES
    NVIDIA_TF32_OVERRIDE HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR
    SYSTEMROOT SYSTEMDRIVE WINDIR PATHEXT COMSPEC OS NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE PROCESSOR_IDENTIFIER
    PROCESSOR_LEVEL PROCESSOR_REVISION APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432
    COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 ALLUSERSPROFILE PUBLIC USERPROFILE USERNAME HOMEDRIVE
    HOMEPATH AIP_SOFT_DESCRIPTORS
    """.split()  # noqa: SIM905
)
# Prefixes of switches. Only some TF_ prefixes: Terraform's variables, passwords among them, begin with TF_ as well.
_FAMILIES = re.compile(
    r"(LC|OMP|GOMP|KMP|OPENBLAS|GOTO|BLIS|MKL|NUMEXPR|VECLIB"
    r"|TF_(CPP|XLA|ENABLE|DISABLE|USE|NUM|FORCE|GPU|CUDNN|CUDA|DETERMINISTIC|DEVICE|INTER|INTRA|LITE))_[A-Z0-9_]+"
)
# Names that are refused even with one of these prefixes.
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|KEY|PASS|CREDENTIAL|COOKIE|WEBHOOK|BEARER|PRIVATE|_(PAT|PW|PWD|DSN|URL|URI|AUTH)(_|$)"
)
_URL_WITH_PASSWORD = re.compile(r"(://[^/\s:@]*|^[^/\s:@]+):[^/\s@]+@")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def worker_environ(variables: Mapping[str, str], python: str, threads: int) -> dict[str, str]:
    """Build the environment of a worker run by the interpreter `python`, from the `variables` that it needs.

    `threads` limits the threads of OpenMP and BLAS. PYTHONPATH is kept only for the interpreter of this process.
    """
    kept = {name: value for name, value in variables.items() if is_passed_on(name, value)}
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)
    kept.update(dict.fromkeys(_THREADS, str(threads)))
    kept.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # TensorFlow's messages would bury the log of the model's code
    kept["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # printing must never fail
    return kept


def is_passed_on(name: str, value: str) -> bool:
    """Whether a worker inherits a variable: the worker needs it, and it holds no URL with a password."""
    needed = name in _NAMES or (_FAMILIES.fullmatch(name) and not _SECRET_NAME.search(name))
    return bool(needed) and not has_password(value)


def has_password(value: str) -> bool:
    """Whether a value is or contains a URL with a password."""
    return bool(_URL_WITH_PASSWORD.search(value))

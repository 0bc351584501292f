"""The files that a worker may access: the interpreter, importable modules, system libraries and the model.

Nothing else of a home directory, of other models or of the server's data is included.
"""

# ruff: noqa: SIM905, SIM105

import glob
import os
import re
import sys

from . import landlock

# Directories of programs and libraries, and files that libraries read about the machine. Only some files of /etc, which
# may also hold keys and passwords, and nothing of /proc about other processes.
SYSTEM = """
    /usr /bin /sbin /lib /lib32 /lib64 /libx32 /nix/store /gnu/store /snap /opt/intel /opt/nvidia /opt/rocm
    /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.preload /etc/localtime /etc/timezone /etc/passwd
    /etc/group /etc/nsswitch.conf /etc/hosts /etc/host.conf /etc/resolv.conf /etc/gai.conf /etc/services
    /etc/protocols /etc/ssl/certs /etc/ssl/cert.pem /etc/ssl/openssl.cnf /etc/pki/tls/certs /etc/pki/tls/cert.pem
    /etc/pki/ca-trust /etc/ca-certificates /etc/mime.types /etc/fonts /etc/os-release /etc/debian_version
    /etc/locale.alias /etc/OpenCL /etc/vulkan /etc/crypto-policies /etc/alternatives /run/systemd/resolve /sys
    /proc/self /proc/cpuinfo /proc/meminfo /proc/stat /proc/loadavg /proc/uptime /proc/version /proc/filesystems
    /proc/devices /proc/cgroups /proc/sys /proc/driver /dev/zero /dev/full /dev/random /dev/urandom
""".split()
GRAPHICS = ("/dev/nvidia*", "/dev/kfd", "/dev/dri")
SHARED_MEMORY = "/dev/shm"  # directory of named semaphores
MODULE = re.compile(r"\w+(\.py|\.pyc|\.so|\.pyd|\..*\.so)?$|.*(\.dist-info|\.egg-info|\.libs|\.egg|\.pth|\.egg-link)$")
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "model.bst", "model.joblib", "model.pkl")

_common_paths = []  # type: list[str]
_graphics_devices = []  # type: list[str]


def rules(model_dir: str, packages: "list[str]", temp_dir: str, programs: bool) -> "list[tuple[str, int]]":
    """Build the paths and access rights of a worker for `landlock.restrict`.

    With `programs`, the worker may start programs and share memory with them. A rule applies to everything beneath its
    path and to nothing around it, such as the server's data around a model or a home directory around an interpreter.
    """
    execute = landlock.EXECUTE if programs else 0
    prepare()
    readable = _common_paths + link_targets(model_dir) + [model_dir] + packages
    found = {}  # type: dict[str, int]
    for path in readable:
        found[path] = landlock.READ | execute
    anything = landlock.known(sys.maxsize) & ~landlock.DEVICES & ~landlock.EXECUTE
    for path in _graphics_devices:
        found[path] = landlock.READ | landlock.WRITE_FILE | landlock.IOCTL_DEV
    found["/dev/null"] = landlock.READ_FILE | landlock.WRITE_FILE
    if programs or has_llvm_openmp():
        found[SHARED_MEMORY] = anything & ~landlock.IOCTL_DEV
    if temp_dir:
        found[temp_dir] = anything | execute
    return sorted(found.items())


def prepare() -> None:
    """Find the paths that every worker may read. A fork server does this slow step once for all its workers."""
    if not _common_paths:
        _graphics_devices.extend(path for pattern in GRAPHICS for path in glob.glob(pattern))
        for path in sorted(path for path in SYSTEM + interpreter() + importable() if os.path.exists(path)):
            if not any((path + os.sep).startswith(other + os.sep) for other in _common_paths):
                _common_paths.append(path)


def interpreter() -> "list[str]":
    """The directories of this interpreter and of its shared libraries."""
    paths = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    paths += [os.path.dirname(os.path.realpath(sys.executable or "")), os.path.dirname(os.path.abspath(__file__))]
    paths += [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path]
    for configuration in glob.glob("/etc/ld.so.conf.d/*.conf"):
        try:
            with open(configuration, encoding="utf-8", errors="replace") as file:
                paths += [line.strip() for line in file if line.startswith("/")]
        except OSError:
            pass
    return [path for wide in paths for path in narrowed(wide)]


def importable() -> "list[str]":
    """The importable paths: the entries of sys.path and the targets of editable installs."""
    paths = list(sys.path)
    for name, module in list(sys.modules.items()):
        if name.startswith("__editable__"):
            mapped = getattr(module, "MAPPING", {})
            paths += [path + end for path in mapped.values() for end in ("", ".py")]
            paths += [path for portions in getattr(module, "NAMESPACES", {}).values() for path in portions]
    return [path for wide in paths if os.path.isabs(wide) for path in narrowed(wide)]


def narrowed(path: str) -> "list[str]":
    """The path itself, or, for a directory that contains the home directory, only its entries that look like modules.

    The names in such a directory can still be listed at every level, as the import system requires.
    """
    path = os.path.realpath(path)
    home = os.path.realpath(os.path.expanduser("~"))
    if not (home + os.sep).startswith(path.rstrip(os.sep) + os.sep):
        return [path]
    try:
        return [os.path.join(path, name) for name in os.listdir(path) if importable_name(path, name)]
    except OSError:
        return []


def importable_name(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    if os.path.isdir(path):
        return os.path.exists(os.path.join(path, "__init__.py")) or name.endswith((".dist-info", ".libs", ".egg-info"))
    return bool(MODULE.match(name)) and "." in name


def link_targets(model_dir: str) -> "list[str]":
    """The targets of model files that are links: a model store keeps each content once and links to it."""
    files = [os.path.join(model_dir, name) for name in MODEL_FILES]
    for folder in (os.path.join(model_dir, name) for name in ("variables", "assets")):
        try:
            files += [os.path.join(folder, name) for name in os.listdir(folder)]
        except OSError:
            pass
    return [os.path.realpath(path) for path in files if os.path.islink(path)]


def has_llvm_openmp() -> bool:
    """Whether this interpreter ships the OpenMP of LLVM or Intel (conda), which aborts without shared memory."""
    names = [os.path.join(sys.prefix, "lib", name) for name in ("libomp.so", "libiomp5.so")]
    return any(os.path.exists(name) for name in names)

"""Which files a worker needs: the interpreter, what it imports, the system's libraries, the model. Nothing else of a
home directory, of other models, or of the server's own data is among them."""

# ruff: noqa: SIM905, SIM105

import glob
import os
import re
import sys

from . import landlock

# Where a system keeps its programs and libraries, and what libraries ask the kernel about the machine. Of /etc only
# what they read: the rest may hold keys and passwords. Of /proc nothing about other processes.
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
SHARED_MEMORY = "/dev/shm"  # named semaphores lie there
MODULE = re.compile(r"\w+(\.py|\.pyc|\.so|\.pyd|\..*\.so)?$|.*(\.dist-info|\.egg-info|\.libs|\.egg|\.pth|\.egg-link)$")
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "model.bst", "model.joblib", "model.pkl")

_prepared = []  # type: list[str]
_graphics = []  # type: list[str]


def rules(model_dir: str, packages: "list[str]", temp_dir: str, programs: bool) -> "list[tuple[str, int]]":
    """What a worker may do where, for `landlock.restrict`. `programs`: it may start some, and share memory with them.

    A rule holds beneath its path, whatever lies around it: a model within the server's data, an interpreter within a
    home directory.
    """
    execute = landlock.EXECUTE if programs else 0
    prepare()
    readable = _prepared + linked(model_dir) + [model_dir] + packages
    found = {}  # type: dict[str, int]
    for path in readable:
        found[path] = landlock.READ | execute
    anything = landlock.known(sys.maxsize) & ~landlock.DEVICES & ~landlock.EXECUTE
    for path in _graphics:
        found[path] = landlock.READ | landlock.WRITE_FILE | landlock.IOCTL_DEV
    found["/dev/null"] = landlock.READ_FILE | landlock.WRITE_FILE
    if programs or has_llvm_openmp():
        found[SHARED_MEMORY] = anything & ~landlock.IOCTL_DEV
    if temp_dir:
        found[temp_dir] = anything | execute
    return sorted(found.items())


def prepare() -> None:
    """Find what every model's worker may read. A parent does it once for all: it takes longer than the rest."""
    if not _prepared:
        _graphics.extend(path for pattern in GRAPHICS for path in glob.glob(pattern))
        for path in sorted(path for path in SYSTEM + interpreter() + importable() if os.path.exists(path)):
            if not any((path + os.sep).startswith(other + os.sep) for other in _prepared):
                _prepared.append(path)


def interpreter() -> "list[str]":
    """Where this interpreter and the libraries it is linked with lie."""
    places = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    places += [os.path.dirname(os.path.realpath(sys.executable or "")), os.path.dirname(os.path.abspath(__file__))]
    places += [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path]
    for configuration in glob.glob("/etc/ld.so.conf.d/*.conf"):
        try:
            with open(configuration, encoding="utf-8", errors="replace") as file:
                places += [line.strip() for line in file if line.startswith("/")]
        except OSError:
            pass
    return [path for place in places for path in narrowed(place)]


def importable() -> "list[str]":
    """What can be imported: the entries of the path, and where the finders of editable installs lead."""
    places = list(sys.path)
    for name, module in list(sys.modules.items()):
        if name.startswith("__editable__"):
            mapped = getattr(module, "MAPPING", {})
            places += [path + end for path in mapped.values() for end in ("", ".py")]
            places += [path for paths in getattr(module, "NAMESPACES", {}).values() for path in paths]
    return [path for place in places if os.path.isabs(place) for path in narrowed(place)]


def narrowed(place: str) -> "list[str]":
    """The place itself; of one that holds a home directory only what looks like a module.

    The names in such a place can be listed then, all the way down: the import system has to.
    """
    place = os.path.realpath(place)
    home = os.path.realpath(os.path.expanduser("~"))
    if not (home + os.sep).startswith(place.rstrip(os.sep) + os.sep):
        return [place]
    try:
        return [os.path.join(place, name) for name in os.listdir(place) if importable_name(place, name)]
    except OSError:
        return []


def importable_name(place: str, name: str) -> bool:
    path = os.path.join(place, name)
    if os.path.isdir(path):
        return os.path.exists(os.path.join(path, "__init__.py")) or name.endswith((".dist-info", ".libs", ".egg-info"))
    return bool(MODULE.match(name)) and "." in name


def linked(model_dir: str) -> "list[str]":
    """What the model's own files are links to: a store of models keeps each content once, and links to it."""
    files = [os.path.join(model_dir, name) for name in MODEL_FILES]
    for folder in (os.path.join(model_dir, name) for name in ("variables", "assets")):
        try:
            files += [os.path.join(folder, name) for name in os.listdir(folder)]
        except OSError:
            pass
    return [os.path.realpath(path) for path in files if os.path.islink(path)]


def has_llvm_openmp() -> bool:
    """Whether this interpreter comes with the OpenMP of LLVM or Intel (conda): it ends without shared memory."""
    names = [os.path.join(sys.prefix, "lib", name) for name in ("libomp.so", "libiomp5.so")]
    return any(os.path.exists(name) for name in names)

"""Landlock: permanently remove access rights to files, TCP and signals from a thread and its descendants on Linux.

Three system calls suffice, without a library. `landlock.h` documents which rights each version (ABI) can remove.
"""

# ruff: noqa: UP032

import ctypes
import errno
import os
import struct
import sys
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture named here
MACHINES = ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64", "loongarch64")
VERSION_FLAG, PATH_BENEATH = 1, 1
NO_NEW_PRIVILEGES = 38  # of prctl

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ALL_OF_FIRST = (1 << 13) - 1  # the rights of version 1: the above, and creating and removing anything
ADDED = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # rights that a rule for one file may have
READ = READ_FILE | READ_DIR
DEVICES = MAKE_CHAR | MAKE_BLOCK
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1  # from version 4
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1  # of processes outside, from version 6

libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None  # type: Any


def version() -> int:
    """The Landlock version of the kernel; 0 if Landlock is missing or disabled."""
    if libc is None or os.uname().machine not in MACHINES:
        return 0
    return max(int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)), 0)


def known(abi: int) -> int:
    """All rights to files that this version can remove."""
    rights = ALL_OF_FIRST
    for since, right in ADDED:
        rights |= right if abi >= since else 0
    return rights


def checked_syscall(number: int, *arguments: "Any") -> int:
    """Make a system call. Raises OSError if the call fails."""
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def no_new_privileges() -> None:
    """Prevent started programs from gaining privileges; the kernel requires this before a process confines itself."""
    zero = ctypes.c_ulong(0)
    if libc.prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "no_new_privs")


def restrict(abi: int, rules: "list[tuple[str, int]]", tcp: bool) -> "list[int]":
    """Restrict this thread to the rights of `rules` (path, rights beneath the path), and to TCP if `tcp`.

    Paths that do not exist are skipped. /proc may recreate the inode of a file or directory when memory is short, and a
    rule applies to one inode, so the descriptors of such paths stay open.

    Returns:
        The descriptors that must stay open.

    Raises:
        OSError: the kernel refused.
    """
    files = known(abi)
    scoped = ABSTRACT_SOCKETS | SIGNALS if abi >= 6 else 0
    fields = [files, 0 if tcp else BIND_TCP | CONNECT_TCP, scoped][: 3 if abi >= 6 else 2 if abi >= 4 else 1]
    attributes = struct.pack("={}Q".format(len(fields)), *fields)
    ruleset = checked_syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    held = []
    try:
        for path, rights in rules:
            descriptor = add_rule(ruleset, path, rights & files)
            if descriptor is not None:
                held.append(descriptor) if path.startswith("/proc/") else os.close(descriptor)
        no_new_privileges()
        checked_syscall(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return held


def add_rule(ruleset: int, path: str, rights: int) -> "int | None":
    """Allow the rights beneath a path; return an open descriptor of the path, or None if it was skipped."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    if os.fstat(descriptor).st_mode & 0o170000 != 0o040000:
        rights &= FILE_RIGHTS
    try:
        checked_syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    except OSError as error:
        os.close(descriptor)
        # Skipped: no right left, or the path is not in a file system.
        if error.errno in (errno.EINVAL, errno.EBADFD, errno.ENOMSG):
            return None
        raise
    return descriptor

"""Landlock: Linux takes rights on files, TCP and signals from a thread and from what it starts, and never gives them
back. No library is needed, three system calls are. What each version (ABI) of it can take is in `landlock.h`."""

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
ALL_OF_FIRST = (1 << 13) - 1  # what version 1 knows: the above up to making and removing anything
ADDED = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # what a rule for a single file may name
READ = READ_FILE | READ_DIR
DEVICES = MAKE_CHAR | MAKE_BLOCK
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1  # from version 4
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1  # of processes outside, from version 6

libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None  # type: Any


def version() -> int:
    """The kernel's version of Landlock, 0 where there is none or it is not switched on."""
    if libc is None or os.uname().machine not in MACHINES:
        return 0
    return max(int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)), 0)


def known(abi: int) -> int:
    """All rights on files that this version can take."""
    rights = ALL_OF_FIRST
    for since, right in ADDED:
        rights |= right if abi >= since else 0
    return rights


def called(number: int, *arguments: "Any") -> int:
    """A system call that must succeed; OSError otherwise."""
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def no_new_privileges() -> None:
    """No program that this process starts gets more rights than it has: the kernel asks for it before it confines."""
    zero = ctypes.c_ulong(0)
    if libc.prctl(NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "no_new_privs")


def restrict(abi: int, rules: "list[tuple[str, int]]", tcp: bool) -> "list[int]":
    """Leave this thread the rights of `rules` (path, rights beneath it), and TCP if `tcp`. OSError.

    Returns descriptors that must stay open. A path that does not exist is left out. /proc makes a directory's or
    file's inode anew when memory was short: a rule for the old one would say nothing of the new one, so it is held.
    """
    files = known(abi)
    scoped = ABSTRACT_SOCKETS | SIGNALS if abi >= 6 else 0
    fields = [files, 0 if tcp else BIND_TCP | CONNECT_TCP, scoped][: 3 if abi >= 6 else 2 if abi >= 4 else 1]
    attributes = struct.pack("={}Q".format(len(fields)), *fields)
    ruleset = called(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    held = []
    try:
        for path, rights in rules:
            place = beneath(ruleset, path, rights & files)
            if place is not None:
                held.append(place) if path.startswith("/proc/") else os.close(place)
        no_new_privileges()
        called(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return held


def beneath(ruleset: int, path: str, rights: int) -> "int | None":
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    if os.fstat(place).st_mode & 0o170000 != 0o040000:
        rights &= OF_A_FILE
    try:
        called(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    except OSError as error:
        os.close(place)
        if error.errno in (errno.EINVAL, errno.EBADFD, errno.ENOMSG):  # no right left, or a place of no file system
            return None
        raise
    return place

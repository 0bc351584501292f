"""seccomp: filter the system calls that Landlock does not cover: sockets, starting programs, administration.

The filter is one short program that compares numbers; a denied call fails with EPERM.
"""

import ctypes
import os
import struct
import sys
from typing import Any

from . import landlock

SET_SECCOMP, FILTER = 22, 2  # of prctl
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data; the lower half of an argument comes first
ALLOW, DENY = 0x7FFF0000, 0x00050000 | 1  # 1: EPERM
X32 = 0x40000000  # numbers from here on are the same calls of the x32 ABI
STREAM = 1

# System call: its numbers on x86_64 and aarch64, None if it does not exist there.
ADMINISTRATION = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
    "bpf": (321, 280), "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "io_uring_setup": (425, 425),
}  # fmt: skip
NETWORK = {"socket": (41, 198)}
PROGRAMS = {"execve": (59, 221), "execveat": (322, 281), "setpgid": (109, 154), "setsid": (112, 157)}
OTHER_PROCESSES = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "shmget": (29, 194),
    "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191), "msgget": (68, 186),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
}  # fmt: skip
# Landlock restricts signals from version 6 on.
SIGNALS = {"pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)}
# Landlock has no rights for owner, mode, times and attributes of files, nor, before version 3, for their length.
FILE_ATTRIBUTES = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469), "truncate": (76, 45),
}  # fmt: skip
# Calls that are allowed only with certain values of an argument, such as this process.
SOCKETPAIR, KILL, TKILL, TGKILL, LIMITS = (53, 199), (62, 129), (200, 130), (234, 131), (302, 261)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def is_supported() -> bool:
    """Whether a filter exists for this machine type."""
    return landlock.libc is not None and os.uname().machine in MACHINES and sys.maxsize > 1 << 32


def apply(closed: bool, signals: bool) -> None:
    """Filter the system calls of this thread and its descendants. Raises OSError.

    With `closed`, sockets, programs, other processes and attributes of files are denied too. With `signals`, signals
    are allowed to this process only; needed where Landlock does not restrict them.
    """
    code = build_program(closed, signals, os.getpid(), *MACHINES[os.uname().machine])
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: how many instructions, and where they are.
    head = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    landlock.no_new_privileges()
    zero = ctypes.c_ulong(0)
    if landlock.libc.prctl(SET_SECCOMP, ctypes.c_ulong(FILTER), head, zero, zero):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def build_program(closed: bool, signals: bool, pid: int, column: int, architecture: int) -> bytes:
    """Assemble the filter. Calls of another architecture are denied, because their numbers mean other calls."""
    lines = [step(LOAD, ARCH_AT), step(JUMP_EQUAL, architecture, 1, 0), step(RETURN, DENY), step(LOAD, NUMBER_AT)]
    if architecture == MACHINES["x86_64"][1]:
        lines += [step(JUMP_AT_LEAST, X32, 0, 1), step(RETURN, DENY)]
    groups = [ADMINISTRATION]  # type: list[dict[str, Any]]
    groups += [NETWORK, PROGRAMS, OTHER_PROCESSES, FILE_ATTRIBUTES] if closed else []
    groups += [SIGNALS] if signals else []
    numbers = [numbers[column] for group in groups for numbers in group.values()]
    for number in sorted(number for number in numbers if number is not None):
        lines += [step(JUMP_EQUAL, number, 0, 1), step(RETURN, DENY)]
    lines += allow_only(LIMITS[column], 0, [0, pid])
    if closed:
        # A datagram socket of a pair could send to any other socket; a stream socket cannot.
        lines += allow_only(SOCKETPAIR[column], 1, [STREAM], 0xF)
    if signals:
        lines += allow_only(KILL[column], 0, [0, pid, -pid & 0xFFFFFFFF])
        lines += allow_only(TKILL[column], 0, [pid]) + allow_only(TGKILL[column], 0, [pid])
    return b"".join([*lines, step(RETURN, ALLOW)])


def allow_only(number: int, argument: int, values: "list[int]", mask: int = 0xFFFFFFFF) -> "list[bytes]":
    """Allow a call only if an argument has one of the 32-bit values."""
    body = [step(LOAD, ARGUMENTS_AT + 8 * argument), step(AND, mask)]
    for value in values:
        body += [step(JUMP_EQUAL, value, 0, 1), step(RETURN, ALLOW)]
    body.append(step(RETURN, DENY))
    return [step(JUMP_EQUAL, number, 0, len(body)), *body]


def step(code: int, value: int, matched: int = 0, otherwise: int = 0) -> "Any":
    """Encode one instruction of the filter program."""
    return struct.pack("=HBBI", code, matched, otherwise, value)

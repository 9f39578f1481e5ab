"""Where the threads of this process may run."""

import ctypes
import logging
import platform
from functools import cache

log = logging.getLogger(__name__)

_SET_NO_NEW_PRIVS = 38
_SECCOMP, _SET_MODE_FILTER = 317, 1
_ALL_THREADS, _SPECULATE = 1, 4
_SCHED_SETAFFINITY = 203
_LOAD_CALL, _UNLESS_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SKIP, _ALLOW = 0x0005_0000, 0x7FFF_0000


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("on_true", ctypes.c_uint8),
        ("on_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


@cache
def ignore_pinning() -> None:
    """From now on no library binds a thread of this process to a core; the system places them.

    OpenVINO binds its threads to the machine's first cores, and Paddle hands on no setting for
    that. Two processes of one thread each then shared one core of two: 20 passes a second each,
    and 43 without. So the kernel is told to answer `sched_setaffinity` without doing it (seccomp,
    which needs no privilege and holds for the life of the process and of those that it starts).
    Refused it must not be: ONNX Runtime then fails to recognise the processor and is slower.
    Where there can be no filter, a warning is logged.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return
    instructions = (_Instruction * 4)(
        _Instruction(_LOAD_CALL, 0, 0, 0),
        _Instruction(_UNLESS_EQUAL, 0, 1, _SCHED_SETAFFINITY),
        _Instruction(_RETURN, 0, 0, _SKIP),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    )
    program = _Filter(len(instructions), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        _SECCOMP, _SET_MODE_FILTER, _ALL_THREADS | _SPECULATE, ctypes.byref(program)
    )
    if refused:
        log.warning(
            "threads of the model are bound to the first cores, which other processes' may be"
            " too: the system allows no seccomp filter (errno %d)", ctypes.get_errno(),
        )  # fmt: skip

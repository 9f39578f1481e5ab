"""Keeps libraries from binding the threads of this process to cores.

Delete when Paddle has a setting for the binding of OpenVINO's threads.
"""

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
    """Lets the system place the threads of this process from now on, whatever libraries ask for.

    OpenVINO binds its threads to the machine's first cores, and Paddle passes no setting for that.
    Two processes of one thread each then shared one core of two: 20 passes a second each, and 43
    without. A seccomp filter, which needs no privilege and holds for this process and those that
    it starts, makes the kernel answer `sched_setaffinity` without doing anything.
    The filter must not return an error: ONNX Runtime would then misdetect the CPU and run slower
    code. Where the system allows no filter, a warning is logged.
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
            "the model's threads are bound to the first cores, to which those of other processes"
            " may be bound too: the system allows no seccomp filter (errno %d)", ctypes.get_errno(),
        )  # fmt: skip

"""Process settings that make Paddle's CPU training fast; call `prepare` before Paddle loads."""

import ctypes
import os

from services.common.engine.processor import made_by_amd

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def prepare() -> None:
    """Set threads, MKL and malloc; what the environment already says wins."""
    # Paddle takes one thread by default.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    if made_by_amd():
        # Paddle's wheel carries Intel MKL, which takes its slow path there without this (2x).
        # Elsewhere it would do harm: it holds MKL to AVX2 where AVX-512 is twice as fast.
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Activations are large: returning each to the system costs page faults, 10 % of a step."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 256 << 20)

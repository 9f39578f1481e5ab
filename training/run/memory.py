"""Settings of the C library's memory for training."""

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Keeps the memory that Paddle frees instead of returning it to the system.

    Activations are large, and glibc returns each when it is freed: a training step then took 1.1
    times as long. Call it before Paddle loads. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # The C library is not glibc.
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 256 << 20)

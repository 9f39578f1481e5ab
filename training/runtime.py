"""Process settings that make Paddle's CPU training fast; call `prepare` before Paddle loads."""

import os

from services.common.engine.processor import made_by_amd
from training.memory import keep_freed_memory


def prepare() -> None:
    """Set threads, MKL and malloc; what the environment already says wins."""
    # Paddle takes one thread by default.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    if made_by_amd():
        # Paddle's wheel carries Intel MKL, which takes its slow path there without this (2x).
        # Elsewhere it would do harm: it holds MKL to AVX2 where AVX-512 is twice as fast.
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    keep_freed_memory()

"""Makes the settings of the process that let Paddle train fast on a CPU; call `prepare` before
Paddle loads."""

import logging
import os
import warnings

from services.common.engine.processor import made_by_amd
from training.run.memory import keep_freed_memory


def prepare() -> None:
    """Sets threads, MKL and malloc, except where the environment has set them."""
    # Paddle uses one thread unless this variable is set.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    if made_by_amd():
        # Paddle's wheel carries Intel MKL, which takes its slow path on AMD processors without this
        # variable (2x). On other processors it would restrict MKL to AVX2, where AVX-512 is twice
        # as fast.
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    keep_freed_memory()
    # Both warnings come at each import and concern nothing that runs here.
    warnings.filterwarnings("ignore", message="No ccache found")
    warnings.filterwarnings("ignore", message="Setuptools is replacing distutils")


def show_log() -> None:
    """Prints the log lines of training on standard error, and of other packages only errors."""
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    logging.getLogger("training").setLevel(logging.INFO)

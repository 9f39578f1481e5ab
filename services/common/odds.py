"""Log-odds as probabilities."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def probability(odds: Floats) -> Floats:
    """The logistic function of log-odds; it does not overflow for any magnitude."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * odds))
    return result

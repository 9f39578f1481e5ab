"""From features and the model's logit to one probability of relevance.

Two logistic models, so that scores are comparable across queries and between candidates that
the fine phase reached and those that it did not. Their weights lie in `blend.json`, fitted on
the dev split of the literature papers; `xunwen eval blend` fits them again for another model.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.common.errors import ModelInvalid
from services.rank.features import NAMES, FloatArray

BLEND = Path(__file__).with_name("blend.json")


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of log-odds."""

    coarse: tuple[float, ...]
    """One per feature of NAMES."""
    coarse_bias: float
    fine: float
    """Of the ranker's calibrated log-odds."""
    fine_coarse: float
    """Of the coarse log-odds, where the ranker was asked."""
    fine_bias: float
    ranker: str = ""
    """Fingerprint of the ranker whose log-odds they weigh; empty where it is not known."""

    @property
    def uses_ranker(self) -> bool:
        """Without, the fine phase would cost its time and change nothing."""
        return self.fine > 0

    def coarse_odds(self, features: FloatArray) -> FloatArray:
        """Log-odds [n] from features alone."""
        odds: FloatArray = features @ np.array(self.coarse) + self.coarse_bias
        return odds

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"coarse": dict(zip(NAMES, self.coarse, strict=True))}

    def final_odds(self, coarse: FloatArray, fine: FloatArray) -> FloatArray:
        """Log-odds [n]; where `fine` is NaN, the coarse ones."""
        blended = self.fine * fine + self.fine_coarse * coarse + self.fine_bias
        return np.where(np.isnan(fine), coarse, blended)


def probability(odds: FloatArray) -> FloatArray:
    """The logistic function, safe for any magnitude."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * odds))
    return result


def read_blend(path: Path = BLEND) -> Blend:
    """Raises ModelInvalid when the file is no blend of these features."""
    try:
        read = json.loads(path.read_bytes())
        coarse = read["coarse"]
        return Blend(
            coarse=tuple(float(coarse[name]) for name in NAMES),
            coarse_bias=float(read["coarse_bias"]),
            fine=float(read["fine"]),
            fine_coarse=float(read["fine_coarse"]),
            fine_bias=float(read["fine_bias"]),
            ranker=str(read.get("ranker", "")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelInvalid(
            f"{path.name} holds no weights for these features; `xunwen eval blend` writes it"
        ) from error

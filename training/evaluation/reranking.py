"""Orders the candidates of recall with a ranker, without servers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.blend import FittedWeights
from services.common.engine import Encoder, Ranker
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.common.wire.rank import RankCandidate, considered
from services.rank.blend import Blend
from services.rank.phases import RankingPhases
from services.rank.settings import RankSettings
from services.rank.stopping import StopRule

RANKER = "hybrid + ranker"
SERVED = "hybrid + rank"
TOP_K = 10
_ENOUGH_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Reranking:
    """Makes the rows RANKER and SERVED of a table.

    RANKER orders the first `depth` candidates by the ranker alone, which shows what it knows; with
    a depth of 0 the row is left out.
    SERVED is the order that the rank service answers with.
    """

    ranker: Ranker
    depth: int
    phases: RankingPhases | None
    """Phases of the rank service; None if the fitted weights belong to other models, so that SERVED
    has no meaning."""

    @classmethod
    def of(
        cls,
        ranker: Ranker,
        encoder: Encoder,
        weights: FittedWeights,
        analyzer: WordAnalyzer,
        depth: int,
    ) -> "Reranking":
        """The rows for a ranker, with the phases of the rank service and its settings."""
        fitted = (weights.encoder, weights.ranker)
        if fitted != (encoder.manifest.fingerprint, ranker.manifest.fingerprint):
            return cls(ranker, depth, None)
        settings = RankSettings()
        phases = RankingPhases(
            _InProcess(ranker),
            analyzer,
            Blend.of(weights),
            duplicate=settings.duplicate,
            depth=settings.keep,
            stop=StopRule.of(weights),
        )
        return cls(ranker, depth, phases)

    def orders(self, query: str, found: Sequence[RankCandidate]) -> dict[str, list[str]]:
        """The ids of the candidates in the order of each row; `found` is best first."""
        ids = [each.id for each in found]
        rows = {}
        if self.depth:
            logits = self.ranker.score(
                query, self.ranker.manifest.texts_beside(query, found[: self.depth])
            )
            best = [ids[at] for at in np.argsort(-logits, kind="stable")]
            rows[RANKER] = [*best, *ids[self.depth :]]
        if self.phases is not None:
            ranked = self.phases.rank(
                query,
                found[: considered(TOP_K)],
                top_k=TOP_K,
                diversity=0.0,
                explain=False,
                deadline=Deadline.after(_ENOUGH_SECONDS),
            )
            hits = dict.fromkeys(hit.id for hit in asyncio.run(ranked).hits)
            rows[SERVED] = list(hits | dict.fromkeys(ids))
        return rows


@dataclass(frozen=True, slots=True)
class _InProcess:
    """A FineRanker that runs the model in the calling thread."""

    ranker: Ranker

    async def log_odds(
        self, query: str, candidates: Sequence[RankCandidate], _deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        manifest = self.ranker.manifest
        return manifest.log_odds(self.ranker.score(query, manifest.texts_beside(query, candidates)))

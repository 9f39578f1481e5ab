"""Models in service: tokens, length-sorted batches, engines, and fair dynamic batching.

`Encoder` and `Ranker` are plain synchronous classes. `BatchedEncoder` and `BatchedRanker`
share them between the tasks of an event loop.
"""

from services.common.engine.batched import (
    BatchedEncoder,
    BatchedRanker,
    batched_encoder,
    batched_ranker,
)
from services.common.engine.batcher import QUEUED_TOKENS, Batcher, Priority
from services.common.engine.models import (
    Encoder,
    Ranker,
    open_described,
    open_encoder,
    open_ranker,
)
from services.common.engine.predictor import PredictorOptions
from services.common.engine.tokens import Tokens

__all__ = [
    "QUEUED_TOKENS",
    "BatchedEncoder",
    "BatchedRanker",
    "Batcher",
    "Encoder",
    "PredictorOptions",
    "Priority",
    "Ranker",
    "Tokens",
    "batched_encoder",
    "batched_ranker",
    "open_described",
    "open_encoder",
    "open_ranker",
]

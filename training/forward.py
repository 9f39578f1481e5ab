"""A batch through a network in passes of similar length that stay in the processor's caches."""

from collections.abc import Callable, Sequence

import numpy as np
import paddle
from paddle import Tensor

from services.common.engine.batches import plan_batches
from training.tokenization import Ids, TextCodec

PASS_TOKENS = 1024
"""Padded tokens of one pass. A step over 96 pairs took 1.3 times as long in one pass a side."""


def forward(
    network: Callable[[Tensor, Tensor], Tensor], codec: TextCodec, items: Sequence[tuple[Ids, Ids]]
) -> tuple[Tensor, int]:
    """The network's output of each item in their order, and how many padded tokens it read."""
    plan = plan_batches([len(ids) for ids, _ in items], PASS_TOKENS)
    outputs, tokens = [], 0
    for positions in plan:
        input_ids, type_ids = codec.batch([items[position] for position in positions])
        outputs.append(network(paddle.to_tensor(input_ids), paddle.to_tensor(type_ids)))
        tokens += input_ids.size
    order = np.argsort(np.concatenate(plan))
    return paddle.index_select(paddle.concat(outputs), paddle.to_tensor(order)), tokens

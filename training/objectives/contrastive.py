"""The loss of finding the right document among all documents of a batch."""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import Tensor

FAR = -1e4
"""Number that is added to the logit of a document that is neither answer nor negative."""


def contrastive_loss(
    queries: Tensor,
    documents: Tensor,
    keys: Sequence[str],
    margin: float,
    scale: float,
    *,
    symmetric: bool = False,
) -> Tensor:
    """Cross-entropy of finding each query's document among all documents, by cosine.

    queries float32 [n, d], documents float32 [n + extra, d], all of unit length; document i
    answers query i, and mined negatives come after the answers. The cosine of the right document
    loses `margin` (AM-Softmax: Wang et al., 2018), and all are multiplied by `scale`. Documents of
    the query's own key are no negatives of it. `symmetric` adds the choice of a query for each
    document and takes the mean of both.
    """
    count = queries.shape[0]
    cosines = paddle.matmul(queries, documents, transpose_y=True)
    own = np.eye(count, documents.shape[0], dtype=np.float32)
    names = np.array(keys, dtype=object)
    same = np.zeros_like(own)
    same[:, :count] = (names[:, None] == names[None, :]).astype(np.float32)
    logits = (cosines - margin * paddle.to_tensor(own)) * scale
    logits = logits + paddle.to_tensor((same - own) * FAR)
    answers = paddle.arange(count)
    loss = F.cross_entropy(logits, answers)
    if symmetric:
        loss = (loss + F.cross_entropy(logits[:, :count].t(), answers)) / 2
    return loss

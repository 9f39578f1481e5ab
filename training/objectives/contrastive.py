"""The loss of finding the right document among all documents of a batch."""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from paddle import Tensor

from training.data.pairs import normal

FAR = -1e4
"""Number that is added to the logit of a document that is neither answer nor negative."""


def contrastive_loss(
    queries: Tensor,
    documents: Tensor,
    keys: Sequence[str],
    texts: Sequence[str],
    margin: float,
    scale: float,
    *,
    symmetric: bool = False,
) -> Tensor:
    """Cross-entropy of finding each query's document among all documents, by cosine.

    queries float32 [n, d], documents float32 [n + extra, d], all of unit length; document i
    answers query i, and mined negatives come after the answers. The cosine of the right document
    loses `margin` (AM-Softmax: Wang et al., 2018), and all are multiplied by `scale`. `keys` are
    those of the queries and `texts` those of the documents: a document whose text answers a query
    of the same key is no negative. `symmetric` adds the choice of a query for each document and
    takes the mean of both.
    """
    count = queries.shape[0]
    cosines = paddle.matmul(queries, documents, transpose_y=True)
    own = np.eye(count, documents.shape[0], dtype=np.float32)
    logits = (cosines - margin * paddle.to_tensor(own)) * scale
    logits = logits + paddle.to_tensor((_right(keys, texts) - own) * FAR)
    answers = paddle.arange(count)
    loss = F.cross_entropy(logits, answers)
    if symmetric:
        loss = (loss + F.cross_entropy(logits[:, :count].t(), answers)) / 2
    return loss


def _right(keys: Sequence[str], texts: Sequence[str]) -> NDArray[np.float32]:
    """Float32 [keys, texts]: 1 where the text is that of an answer to a query of the key. Texts
    are compared without punctuation and case."""
    key_of = _numbers(keys)
    text_of = _numbers([normal(text) or text for text in texts])
    right = np.zeros((len(keys), len(texts)), dtype=np.float32)
    right[key_of, text_of[: len(keys)]] = 1
    return right[key_of][:, text_of]


def _numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """A number from 0 on for each name; equal names have the same."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)

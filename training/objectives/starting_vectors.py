"""Computations with the starting network before in-batch training: likeness and principal axes."""

from collections.abc import Mapping, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812

from training.data.likeness import PairVectors
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.networks.tokenization import TextCodec

AXES_TEXTS = 2000
"""Number of texts used to compute the principal axes at which a projection starts."""


def likeness_by_network(
    encoder: Encoder, codec: TextCodec, texts: Mapping[str, str], max_tokens: int
) -> PairVectors:
    """Vectors of texts by key, computed by the encoder as it is now."""
    encoder.eval()
    with paddle.no_grad():
        vectors, _ = forward(encoder, codec, codec.documents([*texts.values()], max_tokens))
    by_key = dict(zip(texts, vectors.numpy(), strict=True))
    return lambda pairs: np.stack([by_key[pair.key] for pair in pairs])


def project_to_principal_axes(
    encoder: Encoder, codec: TextCodec, texts: Sequence[str], max_tokens: int, seed: int
) -> None:
    """Makes the projection start at the directions that keep most of the vectors' length.

    A random start would throw away what the body already knows about similarity.
    """
    if encoder.projection is None:
        return
    drawn = np.random.default_rng(seed).permutation(len(texts))[:AXES_TEXTS]
    items = codec.documents([texts[at] for at in drawn], max_tokens)
    encoder.eval()
    with paddle.no_grad():
        pooled, _ = forward(encoder.pooled, codec, items)
    vectors = F.normalize(pooled).numpy()
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    encoder.projection.weight.set_value(
        np.ascontiguousarray(axes[:, ::-1][:, : encoder.dimension]).astype(np.float32)
    )

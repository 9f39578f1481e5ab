"""The transformer under every network: an ERNIE body, or one of another family in its form."""

from pathlib import Path

from paddle import nn
from paddlenlp.transformers import ErnieConfig, ErnieModel

from training.failures import ModelUnknown
from training.networks.source import Source, read_source
from training.networks.weights import fill

NORM_EPSILON = "norm_epsilon"
"""Key of `config.json` for the epsilon of the layer norms, where it is not paddlenlp's 1e-12."""


def build_body(source: Source, *, dropout: float, layers: int | None = None) -> ErnieModel:
    """The body with its weights; `layers` is the number of first layers to keep. Raises
    ModelUnknown."""
    config = source.config | {
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    if layers is not None:
        deepest = config["num_hidden_layers"]
        if layers > deepest:
            raise ModelUnknown(f"{source.name} has {deepest} layers, {layers} cannot be kept")
        config["num_hidden_layers"] = layers
    body = ErnieModel(ErnieConfig(**config))
    # Only some networks read the pooler; these check that it exists.
    fill(body, source.body, source.name, optional=("pooler.",))
    epsilon = config.get(NORM_EPSILON)
    if epsilon is not None:
        for layer in body.sublayers():
            if isinstance(layer, nn.LayerNorm):
                layer._epsilon = epsilon  # noqa: SLF001 - Paddle has no other way to set it later
    return body


def load_body(source: str | Path, *, dropout: float, layers: int | None = None) -> ErnieModel:
    """The body of a directory or of a model that paddlenlp knows. Raises ModelUnknown."""
    return build_body(read_source(source), dropout=dropout, layers=layers)

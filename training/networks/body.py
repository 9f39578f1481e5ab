"""The transformer under every network: an ERNIE body, or one of another family in its form."""

from collections.abc import Mapping
from pathlib import Path

from paddle import nn
from paddlenlp.transformers import ErnieConfig, ErnieModel

from training.failures import ModelUnknown, PositionsExceeded
from training.networks.source import Source, read_source
from training.networks.weights import State, fill

NORM_EPSILON = "norm_epsilon"
"""Key of `config.json` for the epsilon of the layer norms, where it is not paddlenlp's 1e-12."""


Layers = int | tuple[int, ...] | None
"""The layers of a start to keep: so many first ones, those of these numbers, or all with None."""
_LAYER = "encoder.layers."


def build_body(source: Source, *, dropout: float, layers: Layers = None) -> ErnieModel:
    """The body with its weights, of these layers only. Raises ModelUnknown."""
    kept = _kept(source, layers)
    config = source.config | {
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "num_hidden_layers": len(kept),
    }
    body = ErnieModel(ErnieConfig(**config))
    # Only some networks read the pooler; these check that it exists.
    fill(body, _renumbered(source.body, kept), source.name, optional=("pooler.",))
    epsilon = config.get(NORM_EPSILON)
    if epsilon is not None:
        for layer in body.sublayers():
            if isinstance(layer, nn.LayerNorm):
                layer._epsilon = epsilon  # noqa: SLF001 - Paddle has no other way to set it later
    return body


def load_body(source: str | Path, *, dropout: float, layers: Layers = None) -> ErnieModel:
    """The body of a directory or of a model that paddlenlp knows. Raises ModelUnknown."""
    return build_body(read_source(source), dropout=dropout, layers=layers)


def check_positions(body: ErnieModel, lengths: Mapping[str, int]) -> None:
    """Checks the most tokens of a text by the names of their settings. Raises PositionsExceeded."""
    most: int = body.config.max_position_embeddings
    for name, tokens in lengths.items():
        if tokens > most:
            raise PositionsExceeded(
                f"{name} is {tokens:,}, and the network reads at most {most:,} tokens;"
                f" give {name} of at most {most:,}"
            )


def _kept(source: Source, layers: Layers) -> list[int]:
    """The numbers of the layers to keep, counted from 1. Raises ModelUnknown."""
    deepest: int = source.config["num_hidden_layers"]
    if layers is None:
        layers = deepest
    numbers = [*range(1, layers + 1)] if isinstance(layers, int) else [*layers]
    if beyond := [number for number in numbers if number > deepest]:
        raise ModelUnknown(
            f"{source.name} has {deepest} layers, so layer {beyond[-1]} cannot be kept"
        )
    return numbers


def _renumbered(body: State, kept: list[int]) -> State:
    """The weights of a body without the layers that are not kept; those kept are numbered anew."""
    places = {f"{number - 1}": f"{place}" for place, number in enumerate(kept)}
    state: State = {}
    for name, value in body.items():
        if not name.startswith(_LAYER):
            state[name] = value
            continue
        number, _, rest = name.removeprefix(_LAYER).partition(".")
        if number in places:
            state[f"{_LAYER}{places[number]}.{rest}"] = value
    return state

"""The layers of its start that a network keeps."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.ernie import tiny_ernie
from training.failures import ModelUnknown
from training.networks.directory import load_encoder, load_ranker
from training.run.recipe import ModelSettings

# Paddle and paddlenlp warn of their own use of NumPy and of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


@pytest.mark.parametrize(("layers", "kept"), [((2,), [1]), ((1, 2), [0, 1]), (1, [0])])
def test_chosen_layers_keep_their_weights(
    ernie: Path, layers: int | tuple[int, ...], kept: list[int]
) -> None:
    whole, part = load_encoder(ernie).state_dict(), load_encoder(ernie, layers=layers)
    assert part.body.config.num_hidden_layers == len(kept)
    state = part.state_dict()
    for place, number in enumerate(kept):
        for name in ("self_attn.q_proj.weight", "linear2.bias", "norm1.weight"):
            own, start = (
                each[f"body.encoder.layers.{at}.{name}"].numpy()
                for each, at in ((state, place), (whole, number))
            )
            assert np.array_equal(own, start)
    words = "body.embeddings.word_embeddings.weight"
    assert np.array_equal(state[words].numpy(), whole[words].numpy())


@pytest.mark.parametrize("layers", [3, (1, 3)])
def test_layers_beyond_the_last_are_refused(ernie: Path, layers: int | tuple[int, ...]) -> None:
    with pytest.raises(ModelUnknown, match="has 2 layers, so layer 3 cannot be kept"):
        load_ranker(ernie, layers=layers)


@pytest.mark.parametrize("layers", [(), (2, 1), (1, 1), (0, 1)])
def test_layers_that_are_no_selection_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="layers"):
        ModelSettings(source="base", layers=layers)

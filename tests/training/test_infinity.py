"""Remote models at a real infinity-emb server: its answers are those of the same weights here."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from paddlenlp.transformers import BertConfig, BertModel
from typer.testing import CliRunner

from benchmarks import peers
from services.common.engine import open_encoder, open_ranker
from tests.servers import free_port
from tests.training.ernie import paddle
from tests.training.huggingface import (
    CHARACTERS,
    SHAPE,
    as_huggingface,
    vocabulary,
    write_safetensors,
)
from tests.waiting import eventually
from training.cli import convert
from training.networks.directory import load_codec, load_network
from training.networks.encoder import Encoder
from training.networks.forward import forward

# Installing infinity-emb with PyTorch takes minutes.
pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore")]

_TEXTS = [CHARACTERS[at : at + 4 + at % 9] for at in range(0, 24, 2)]
_CONFIG = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0}


def _written(directory: Path, architecture: str, state: dict[str, Any], **config: Any) -> Path:
    vocabulary(directory)
    write_safetensors(directory / "model.safetensors", state)
    content = SHAPE | _CONFIG | {"architectures": [architecture]} | config
    (directory / "config.json").write_text(json.dumps(content), "utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "model_max_length": 64}
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer), "utf-8")
    return directory


def _body(seed: int) -> Any:
    paddle.seed(seed)
    body = BertModel(BertConfig(**SHAPE, hidden_act="gelu", pad_token_id=0))
    # Otherwise positions drown the characters, and all texts would score alike.
    words = body.embeddings.word_embeddings.weight
    words.set_value(words * 10)
    return body


@contextmanager
def _infinity(folder: Path, *models: Path) -> Iterator[str]:
    """The address of a server that serves models under the names of their directories."""
    if reason := peers.install("infinity-emb"):
        pytest.skip(f"infinity-emb {reason}")
    port = free_port()
    command = [str(peers.environment_of("infinity-emb") / "bin" / "infinity_emb"), "v2"]
    for model in models:
        command += ["--model-id", str(model), "--served-model-name", model.name]
        command += ["--engine", "torch", "--device", "cpu", "--dtype", "float32"]
        command += ["--no-bettertransformer", "--no-model-warmup"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    env.pop("PYTHONPATH", None)
    log = folder / "infinity.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=env, stdout=output, stderr=output)

    def ready() -> bool:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health").is_success
        except httpx.TransportError:
            return False

    try:
        eventually(ready, 300)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def _done(app: Any, *arguments: str) -> None:
    done = CliRunner().invoke(app, [*arguments])
    assert done.exit_code == 0, done.output


def _here(source: Path, target: Path, texts: list[str]) -> Any:
    """Vectors of the texts, or their scores for the first one, by the imported weights."""
    _done(convert.app, "huggingface", str(source), str(target))
    network = load_network(target)
    codec = load_codec(target, network)
    pairs = [(texts[0], text) for text in texts]
    encoder = isinstance(network, Encoder)
    items = codec.documents(texts, 64) if encoder else codec.pairs(pairs, 64)
    network.eval()
    with paddle.no_grad():
        return forward(network, codec, items)[0].numpy()


def test_its_answers_are_those_of_the_same_weights_here(tmp_path: Path) -> None:
    encoder = _written(tmp_path / "encoder", "BertModel", as_huggingface(_body(4), ""))
    head = {
        "classifier.weight": np.linspace(-2, 2, 32, dtype=np.float32)[None, :],
        "classifier.bias": np.array([0.25], np.float32),
    }
    ranker = _written(
        tmp_path / "ranker",
        "BertForSequenceClassification",
        as_huggingface(_body(5), "bert.") | head,
        id2label={"0": "LABEL_0"},
        label2id={"LABEL_0": 0},
    )
    with _infinity(tmp_path, encoder, ranker) as url:
        for name, protocol in (("encoder", "openai"), ("ranker", "jina")):
            remote = ["remote", url, str(tmp_path / f"remote-{name}"), "--model", name]
            _done(convert.app, *remote, "--protocol", protocol)
        vectors = open_encoder(tmp_path / "remote-encoder").encode(_TEXTS)
        scores = open_ranker(tmp_path / "remote-ranker").score(_TEXTS[0], _TEXTS)
    assert np.allclose(vectors, _here(encoder, tmp_path / "encoder-here", _TEXTS), atol=1e-4)
    assert np.allclose(scores, _here(ranker, tmp_path / "ranker-here", _TEXTS), atol=5e-4)
    assert np.ptp(scores) > 5e-3, "the texts differ by less than ten times the tolerance"

"""Reads a model to start from, in whichever form its directory has it.

| form | is recognised by |
|---|---|
| a run of ours, or paddlenlp's `ErnieModel` | `config.json` with the model type `ernie` |
| an exported model directory | `manifest.json` and `network.json` |
| Hugging Face | `config.json` with another model type |
| older PaddleNLP, such as the neural search examples | weights alone, or `model_config.json` |
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.common.model_dir import MANIFEST
from training.failures import ModelUnknown
from training.networks import exported, huggingface_form, paddlenlp_form
from training.networks.json_file import read_object
from training.networks.prefixes import Prefixes
from training.networks.weights import BODY_STATE, State, read_pdparams, split_state

POOLINGS = ("mean", "cls", "pooler")
CONFIG, HEAD_FILE, HEAD_STATE = "config.json", "head.json", "head.pdparams"


@dataclass(frozen=True, slots=True)
class Source:
    """Configuration and weights of a model, which is not built yet."""

    name: str
    config: dict[str, Any]
    """Arguments of `ErnieConfig`, and `norm_epsilon` if the layer norms have another one."""
    body: State
    """Weights under the names that they have in `ErnieModel`."""
    heads: State
    """Weights beside the body's, under the names of our networks if they are known."""
    head: dict[str, Any] = field(default_factory=dict)
    """Description of the head as in `head.json`; empty for a bare body."""

    def pooled_by(self, pooling: str | None) -> "Source":
        """A copy of the model with this pooling; None keeps the model's own."""
        if pooling is None:
            return self
        if pooling not in POOLINGS:
            raise ModelUnknown(f"there is no pooling {pooling!r}; use {', '.join(POOLINGS)}")
        saved = self.head if self.head.get("kind") in ("encoder", "ranker") else {}
        head = {"kind": "encoder", "dimension": None} | saved
        return replace(self, head=head | {"pooling": pooling})

    @property
    def prefixes(self) -> Prefixes:
        """The words before queries and documents that the model was trained with."""
        return Prefixes(self.head.get("query_prefix", ""), self.head.get("document_prefix", ""))


def read_source(source: str | Path, *, like: str | None = None) -> Source:
    """The model of a directory, or one that paddlenlp knows by name.

    `like` names the known model whose configuration the weights of an older PaddleNLP directory
    follow. Raises ModelUnknown.
    """
    name, directory = str(source), Path(source)
    if not directory.is_dir():
        directory = paddlenlp_form.fetched(name)
    if (directory / MANIFEST).is_file():
        model = exported.read_exported(directory)
        return Source(name, model.config, model.body, model.heads, model.head)
    config = read_object(directory / CONFIG)
    if config is not None and config.get("model_type", "ernie") not in paddlenlp_form.MODEL_TYPES:
        read = huggingface_form.read_huggingface(directory, config)
        return Source(name, read.config, read.body, read.heads, read.head)
    weights = split_state(read_pdparams(directory / BODY_STATE), source)
    head = read_object(directory / HEAD_FILE)
    if config is not None and head is not None:
        state = directory / HEAD_STATE
        heads = weights.others | (read_pdparams(state) if state.is_file() else {})
        return Source(name, config, weights.body, heads, head)
    older = paddlenlp_form.read_paddlenlp(
        name, weights, config or read_object(directory / "model_config.json"), like
    )
    return Source(name, older.config, weights.body, older.heads, older.head)

"""Models to start from in every form; outputs are compared with those of the form's own classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
import pytest
import yaml
from paddlenlp.transformers import (
    BertConfig,
    BertModel,
    ErnieConfig,
    ErnieEncoder,
    ErnieForMaskedLM,
    ErnieGramConfig,
    ErnieGramModel,
    ErnieModel,
)
from typer.testing import CliRunner

from tests.training.ernie import paddle, tiny_ernie
from tests.training.huggingface import (
    SHAPE,
    as_huggingface,
    vocabulary,
    write_pytorch,
    write_safetensors,
)
from training.cli import convert, export
from training.failures import ModelUnknown
from training.networks.cross_encoder import CrossEncoder
from training.networks.directory import load_encoder, load_masked, load_network, load_ranker
from training.networks.encoder import Encoder
from training.networks.pytorch_file import read_pytorch
from training.networks.source import read_source
from training.networks.tokenization import load_tokenizer
from training.objectives.pretrain import PretrainObjective, PretrainRecipe
from training.objectives.simcse import SimcseObjective, SimcseRecipe
from training.run.recipe import load_recipe

# Paddle and paddlenlp warn of their own use of NumPy and of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

_IDS = np.array([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]], dtype=np.int64)
_TYPES = np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], dtype=np.int64)
_KNOWN = {"ernie-tiny-test": SHAPE | {"hidden_act": "relu"}}


def _tensors() -> tuple[Any, Any]:
    return paddle.to_tensor(_IDS), paddle.to_tensor(_TYPES)


def _run(network: Any) -> Any:
    network.eval()
    with paddle.no_grad():
        return network(*_tensors()).numpy()


def _convert(form: str, source: Path, target: Path, *options: str) -> str:
    result = CliRunner().invoke(convert.app, [form, str(source), str(target), *options])
    assert result.exit_code == 0, result.output
    return result.output


class _SemanticIndex(paddle.nn.Layer):
    """The network of PaddleNLP's SimCSE and in-batch negatives examples."""

    def __init__(self, ptm: Any, size: int) -> None:
        super().__init__()
        self.ptm = ptm
        self.emb_reduce_linear = paddle.nn.Linear(ptm.config.hidden_size, size)

    def forward(self, ids: Any, types: Any) -> Any:
        _, pooled = self.ptm(ids, types)
        return paddle.nn.functional.normalize(self.emb_reduce_linear(pooled), axis=-1)


class _Pairwise(paddle.nn.Layer):
    """The network of PaddleNLP's pairwise matching: sigmoid of a linear layer on the pooler."""

    def __init__(self, ptm: Any) -> None:
        super().__init__()
        self.ptm = ptm
        self.similarity = paddle.nn.Linear(ptm.config.hidden_size, 1)

    def forward(self, ids: Any, types: Any) -> Any:
        _, pooled = self.ptm(ids, types)
        return paddle.nn.functional.sigmoid(self.similarity(pooled)).squeeze(-1)


class _Pointwise(paddle.nn.Layer):
    """The network of PaddleNLP's pointwise matching and RocketQA's cross-encoders: two classes."""

    def __init__(self, ptm: Any) -> None:
        super().__init__()
        self.ptm = ptm
        self.classifier = paddle.nn.Linear(ptm.config.hidden_size, 2)

    def forward(self, ids: Any, types: Any) -> Any:
        _, pooled = self.ptm(ids, types)
        return paddle.nn.functional.softmax(self.classifier(pooled))[:, 1]


def _ernie() -> Any:
    return ErnieModel(ErnieConfig(**SHAPE, hidden_act="relu"))


def _gram() -> Any:
    return ErnieGramModel(ErnieGramConfig(**SHAPE, embedding_size=32, hidden_act="gelu"))


@pytest.mark.parametrize(
    ("make", "kind", "family"),
    [
        (lambda: _SemanticIndex(_ernie(), 8), Encoder, "ernie-tiny-test"),
        (lambda: _Pairwise(_gram()), CrossEncoder, "gram-tiny-test"),
        (lambda: _Pointwise(_gram()), CrossEncoder, "gram-tiny-test"),
    ],
    ids=["simcse_and_inbatch", "ernie_gram_sort", "classifier"],
)
def test_weights_of_the_articles_examples(
    make: Callable[[], Any],
    kind: type[Any],
    family: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ErnieConfig, "pretrained_init_configuration", _KNOWN)
    gram = {"gram-tiny-test": SHAPE | {"embedding_size": 32, "hidden_act": "gelu"}}
    monkeypatch.setattr(ErnieGramConfig, "pretrained_init_configuration", gram)
    paddle.seed(3)
    theirs = make()
    source = vocabulary(tmp_path / "source")
    paddle.save(theirs.state_dict(), str(source / "model_state.pdparams"))
    _convert("paddlenlp", source, tmp_path / "ours", "--like", family)
    ours = load_network(tmp_path / "ours")
    assert isinstance(ours, kind)
    outputs = _run(ours)
    if kind is CrossEncoder:
        outputs = 1 / (1 + np.exp(-outputs))
    assert np.allclose(outputs, _run(theirs), atol=1e-4)

    # Shapes alone leave heads and activation open here, so the family has to be named.
    refused = CliRunner().invoke(convert.app, ["paddlenlp", str(source), str(tmp_path / "never")])
    assert refused.exit_code == 1
    assert "--like" in refused.stderr
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("name", "make", "pooling"),
    [
        ("ernie-gram-zh", _gram, "mean"),
        ("rocketqa-zh-dureader-cross-encoder", lambda: _encoder(), "pooler"),
        ("rocketqav2-en-marco-cross-encoder", lambda: _encoder(), "cls"),
        ("rocketqa-zh-dureader-query-encoder", _ernie, "cls"),
    ],
)
def test_models_that_paddlenlp_publishes_keep_their_heads(
    name: str,
    make: Callable[[], Any],
    pooling: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `from_pretrained` would fetch is made here: there is no network in tests."""
    paddle.seed(3)
    theirs = make()
    monkeypatch.setattr(type(theirs), "from_pretrained", lambda *_given, **_options: theirs)
    monkeypatch.setattr("training.networks.paddlenlp_form.MODEL_HOME", str(tmp_path))
    if "v2" in name:  # as paddlenlp's `reinitialize` does for it
        theirs.apply(lambda layer: setattr(layer, "_epsilon", 1e-5))
    ours = load_network(read_source(name))
    theirs.eval()
    with paddle.no_grad():
        states, pooled = theirs(*_tensors())
        first = pooled if pooling == "pooler" else states[:, 0]
        if isinstance(ours, CrossEncoder):
            assert ours.pooling == pooling
            classes = theirs.classifier(first).numpy()
            assert np.allclose(_run(ours), classes[:, 1] - classes[:, 0], atol=1e-5)
        else:
            assert ours.pooling == pooling
            ours.eval()
            assert np.allclose(ours.body(*_tensors())[0].numpy(), states.numpy(), atol=1e-5)


def _encoder() -> Any:
    return ErnieEncoder(ErnieConfig(**SHAPE, hidden_act="relu"))


def test_a_pretrained_ernie_starts_far_below_chance(tmp_path: Path) -> None:
    """A checkpoint as `ErnieForMaskedLM` saves it, whose head has learned something."""
    ernie = tiny_ernie(tmp_path / "ernie", public=True)
    texts = ["国有企业的改革路径研究", "海洋生态的保护机制研究", "量子计算的创新绩效研究"] * 8
    (tmp_path / "texts.txt").write_text("\n".join(dict.fromkeys(texts)) + "\n", "utf-8")
    config = json.loads((ernie / "config.json").read_text("utf-8"))
    paddle.seed(1)
    theirs = ErnieForMaskedLM(ErnieConfig(**config))
    tokens = PretrainObjective.build(_pretrain(tmp_path, ernie)).codec.documents(texts, 32)
    ids = paddle.to_tensor(np.array([item for item, _ in tokens], dtype=np.int64))
    optimizer = paddle.optimizer.AdamW(3e-3, parameters=theirs.parameters())
    rng = np.random.default_rng(0)
    for _ in range(60):
        hidden = rng.random(ids.shape) < 0.2
        seen = paddle.to_tensor(np.where(hidden, 4, ids.numpy()))
        labels = paddle.to_tensor(np.where(hidden, ids.numpy(), -100))
        logits = theirs(seen)
        loss = paddle.nn.functional.cross_entropy(
            logits.reshape([-1, logits.shape[-1]]), labels.reshape([-1])
        )
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    for path in ("config.json", "model_state.pdparams"):
        (ernie / path).unlink()
    theirs.save_pretrained(str(ernie))

    objective = PretrainObjective.build(_pretrain(tmp_path, ernie))
    network = objective.network
    network.eval()
    theirs.eval()
    with paddle.no_grad():
        ours = network.logits(network.states(ids).reshape([-1, 32])).numpy()
        assert np.allclose(ours, theirs(ids).numpy().reshape(ours.shape), atol=1e-4)
    chance = np.log(network.body.config.vocab_size)
    start = objective.evaluate([*dict.fromkeys(texts)], np.random.default_rng(2)).loss
    assert start < chance / 2
    # The matrix of the head is the embedding itself: there is no second one, and both learn.
    assert not [name for name, _ in network.predictions.named_parameters() if "decoder" in name]
    objective.save(tmp_path / "saved")
    again = load_masked(tmp_path / "saved")
    for name, value in network.state_dict().items():
        assert np.array_equal(again.state_dict()[name].numpy(), value.numpy()), name


def _pretrain(folder: Path, ernie: Path) -> PretrainRecipe:
    path = folder / "recipe.yaml"
    settings = {
        "output": str(folder / "run"),
        "model": {"source": str(ernie), "dropout": 0.0},
        "steps": 1,
        "texts": [str(folder / "texts.txt")],
        "validation": 0.0,
    }
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return load_recipe(path, PretrainRecipe)


@pytest.mark.parametrize("form", ["float32", "bfloat16", "pickled", "pickled bfloat16"])
def test_a_bert_encoder_of_hugging_face(form: str, tmp_path: Path) -> None:
    paddle.seed(4)
    theirs = BertModel(BertConfig(**SHAPE, hidden_act="gelu", pad_token_id=0))
    source = vocabulary(tmp_path / "source")
    state = as_huggingface(theirs, "")
    write, file = (
        (write_pytorch, "pytorch_model.bin")
        if form.startswith("pickled")
        else (write_safetensors, "model.safetensors")
    )
    write(source / file, state, bfloat16=form.endswith("bfloat16"))
    config = SHAPE | {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-5}
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}', "utf-8")
    _convert("huggingface", source, tmp_path / "ours", "--query-prefix", "为查询: ")
    ours = load_encoder(tmp_path / "ours")
    assert (ours.pooling, ours.prefixes.query) == ("cls", "为查询: ")
    theirs.eval()
    with paddle.no_grad():
        states = theirs(*_tensors())[0].numpy()[:, 0]
    expected = states / np.linalg.norm(states, axis=1, keepdims=True)
    assert np.allclose(_run(ours), expected, atol=2e-2 if form.endswith("bfloat16") else 1e-4)


@pytest.mark.parametrize(
    "described",
    [
        b"cos\nsystem\n(S'touch owned'\ntR.",
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n"
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
        b"K\x00K\x09\x85K\x01\x85\x89}tRs.",
    ],
    ids=["a call", "an array beyond its storage"],
)
def test_a_pickle_does_nothing_but_describe_arrays(
    described: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ZipFile(tmp_path / "pytorch_model.bin", "w") as target:
        target.writestr("archive/data.pkl", described)
        target.writestr("archive/data/0", b"\0\0\0\0")
    with pytest.raises(ModelUnknown, match="cannot be read as weights"):
        read_pytorch(tmp_path / "pytorch_model.bin")
    assert not (tmp_path / "owned").exists()


def test_weights_of_an_old_pytorch_are_named(tmp_path: Path) -> None:
    old = tmp_path / "pytorch_model.bin"
    old.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with pytest.raises(ModelUnknown, match=r"PyTorch before 1\.6"):
        read_pytorch(old)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_checkpoint_of_paddlenlp_in_half_precision(
    kind: Literal["float16", "bfloat16"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ErnieConfig, "pretrained_init_configuration", _KNOWN)
    paddle.seed(4)
    theirs = _SemanticIndex(_ernie(), 8)
    source = vocabulary(tmp_path / "source")
    halved = {name: value.cast(kind) for name, value in theirs.state_dict().items()}
    paddle.save(halved, str(source / "model_state.pdparams"))
    _convert("paddlenlp", source, tmp_path / "ours", "--like", "ernie-tiny-test")
    assert np.allclose(_run(load_network(tmp_path / "ours")), _run(theirs), atol=2e-2)


def test_a_cross_encoder_of_the_roberta_family(tmp_path: Path) -> None:
    """Positions begin behind the padding's id, types are of one kind, the head is dense and out."""
    paddle.seed(5)
    body = BertModel(BertConfig(**(SHAPE | {"type_vocab_size": 1}), pad_token_id=1))
    state = as_huggingface(body, "roberta.")
    positions = "roberta.embeddings.position_embeddings.weight"
    shifted = np.concatenate([np.full((2, 32), 9, np.float32), state[positions]])
    for part in ("weight", "bias"):
        state[f"classifier.dense.{part}"] = state.pop(f"roberta.pooler.dense.{part}")
    state |= {
        positions: shifted,
        "classifier.out_proj.weight": np.linspace(-1, 1, 32, dtype=np.float32)[None, :],
        "classifier.out_proj.bias": np.array([0.5], np.float32),
    }
    source = tmp_path / "source"
    source.mkdir()
    write_safetensors(source / "model.safetensors", state)
    config = SHAPE | {"model_type": "xlm-roberta", "type_vocab_size": 1, "pad_token_id": 1}
    config |= {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "max_position_embeddings": 66}
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    ours = load_network(read_source(source))
    assert isinstance(ours, CrossEncoder)
    ids = paddle.to_tensor(np.where(_IDS == 0, 1, _IDS))
    body.eval()
    ours.eval()
    with paddle.no_grad():
        pooled = body(ids, paddle.zeros_like(ids))[1].numpy()
        scores = ours(ids, paddle.zeros_like(ids)).numpy()
    assert np.allclose(scores, pooled @ np.linspace(-1, 1, 32) + 0.5, atol=1e-4)


def test_a_model_directory_is_a_start(tmp_path: Path) -> None:
    ernie = tiny_ernie(tmp_path / "ernie")
    paddle.seed(6)
    (tmp_path / "texts.txt").write_text("国有企业的改革\n海洋生态的保护\n", "utf-8")
    recipe = tmp_path / "simcse.yaml"
    settings = {
        "output": str(tmp_path / "run"),
        "model": {"source": str(ernie), "dropout": 0.0},
        "steps": 1,
        "texts": [str(tmp_path / "texts.txt")],
        "document_prefix": "论: ",
    }
    recipe.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    first = SimcseObjective.build(load_recipe(recipe, SimcseRecipe))
    first.save(tmp_path / "saved")
    target = tmp_path / "model"
    given = [str(tmp_path / "saved"), str(target), "--max-tokens", "128"]
    done = CliRunner().invoke(export.app, given)
    assert done.exit_code == 0, done.output
    again = SimcseObjective.build(
        load_recipe(recipe, SimcseRecipe, [f"model.source={target}", "document_prefix=null"])
    )
    assert again.codec.prefixes.document == "论: "
    ids, types = map(paddle.to_tensor, first.codec.batch(first.codec.documents(["国有企业"], 32)))
    for objective in (first, again):
        objective.network.eval()
    with paddle.no_grad():
        cosine = (first.network(ids, types) * again.network(ids, types)).sum()
    assert float(cosine) > 0.999  # export rounds the weights
    (target / "network.json").unlink()
    with pytest.raises(ModelUnknown, match="export its checkpoint again"):
        read_source(target)


def test_a_shipped_ranker_is_a_start() -> None:
    shipped = Path(__file__).parents[2] / "models" / "literature-ranker"
    assert load_ranker(shipped).body.config.hidden_size > 0


def test_a_body_that_is_not_covered_is_refused(tmp_path: Path) -> None:
    ernie = tiny_ernie(tmp_path / "ernie")
    state = paddle.load(str(ernie / "model_state.pdparams"))
    lost = {name: value for name, value in state.items() if "layers.1.linear1" not in name}
    for name, content, message in (
        ("lost", lost, r"lacks 2 of \d+ weights: encoder.layers.1.linear1.weight"),
        ("renamed", {f"x.{name}": state[name] for name in [*state][3:]}, "holds no ERNIE body"),
        ("shape", state | {"encoder.layers.0.norm1.bias": paddle.ones([5])}, "does not fit"),
    ):
        directory = tiny_ernie(tmp_path / name)
        paddle.save(content, str(directory / "model_state.pdparams"))
        with pytest.raises(ModelUnknown, match=message):
            load_encoder(directory)


_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 409\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 bytes"),
        (b"PK\x03\x04", "fetch it anew"),
        (_POINTER.encode(), "git lfs pull"),
    ],
    ids=["empty", "cut", "pointer"],
)
@pytest.mark.parametrize(
    "name", ["model_state.pdparams", "head.pdparams", "model.safetensors", "pytorch_model.bin"]
)
def test_damaged_weights_are_one_line(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    source = tiny_ernie(tmp_path / "source")
    if "pdparams" not in name:
        (source / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    if name == "head.pdparams":
        (source / "head.json").write_text('{"kind": "encoder"}', "utf-8")
    (source / name).write_bytes(content)
    made = CliRunner().invoke(convert.app, ["huggingface", str(source), str(tmp_path / "network")])
    assert (made.exit_code, made.stderr.count("\n")) == (1, 1), made.exception
    assert f"{name} cannot be read as weights" in made.stderr
    assert message in made.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "[]", "config.json holds no JSON object"),
        ("modules.json", "[{]", "modules.json is not JSON"),
        ("modules.json", '["Dense"]', "has a module Dense"),
        ("modules.json", '[{"idx": 2}]', "has a module None"),
        ("1_Pooling/config.json", "[]", "config.json holds no JSON object"),
        ("1_Pooling/config.json", "{", "config.json is not JSON"),
    ],
)
def test_a_note_of_a_model_that_is_none_is_one_line(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    source = vocabulary(tmp_path / "source")
    body = BertModel(BertConfig(**SHAPE, pad_token_id=0))
    write_safetensors(source / "model.safetensors", as_huggingface(body, ""))
    # Some configurations have null where the padding is 0.
    config = SHAPE | {"model_type": "bert", "hidden_act": "gelu", "pad_token_id": None}
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    (source / "1_Pooling").mkdir()
    assert isinstance(load_network(read_source(source)), Encoder)
    (source / name).write_text(content, "utf-8")
    made = CliRunner().invoke(convert.app, ["huggingface", str(source), str(tmp_path / "network")])
    assert (made.exit_code, made.stderr.count("\n")) == (1, 1), made.exception
    assert message in made.stderr


@pytest.mark.parametrize("form", ["paddlenlp", "huggingface", "onnx"])
def test_the_source_of_an_import_is_never_overwritten(form: str, tmp_path: Path) -> None:
    source = tiny_ernie(tmp_path / "source")
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    link = tmp_path / "link"
    link.symlink_to(source)
    for target in (source, link):
        made = CliRunner().invoke(convert.app, [form, str(source), str(target)])
        assert (made.exit_code, made.stderr.count("\n")) == (1, 1), made.output
        assert "is the directory that is read" in made.stderr
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before


def test_a_network_is_not_written_into_a_model_directory(tmp_path: Path) -> None:
    """Training and export would go on with the model that is there."""
    source = tiny_ernie(tmp_path / "source")
    target = tmp_path / "model"
    target.mkdir()
    (target / "manifest.json").write_text("{}", "utf-8")
    made = CliRunner().invoke(convert.app, ["paddlenlp", str(source), str(target)])
    assert (made.exit_code, made.stderr.count("\n")) == (1, 1), made.output
    assert "name another folder" in made.stderr
    assert [path.name for path in target.iterdir()] == ["manifest.json"]


def test_each_line_of_a_vocabulary_is_one_word(tmp_path: Path) -> None:
    separators = ["\u2028", "\x85", "\x1c", "\x0b", "", "\u3000"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *separators, "甲", "乙"]
    for end in ("\n", "\r\n", ""):
        (tmp_path / "vocab.txt").write_bytes(((end or "\n").join(words) + end).encode())
        tokenizer = load_tokenizer(tmp_path)
        assert tokenizer.encode("甲乙").ids == [2, 10, 11, 3]


@pytest.mark.parametrize(
    ("noted", "word"),
    [
        (None, "bert"),
        ({}, "bert"),
        ({"do_lower_case": True}, "bert"),
        ({"do_lower_case": False}, "BERT"),
    ],
)
def test_letters_stay_capital_where_the_tokenizer_keeps_them(
    noted: dict[str, bool] | None, word: str, tmp_path: Path
) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "bert", "BERT"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), "utf-8")
    if noted is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(noted), "utf-8")
    assert load_tokenizer(tmp_path).encode("BERT").tokens[1:-1] == [word]


def _with_more_words(ernie: Path) -> None:
    (ernie / "tokenizer.json").unlink()
    vocabulary(ernie)
    with (ernie / "vocab.txt").open("a", encoding="utf-8") as words:
        words.writelines(f"{chr(0x5000 + at)}\n" for at in range(2000))


def _without_cls(ernie: Path) -> None:
    (ernie / "tokenizer.json").unlink()
    words = (vocabulary(ernie) / "vocab.txt").read_text("utf-8").replace("[CLS]", "<cls>")
    (ernie / "vocab.txt").write_text(words, "utf-8")


def _with_a_broken_note(ernie: Path) -> None:
    (ernie / "tokenizer.json").unlink()
    vocabulary(ernie)
    (ernie / "tokenizer_config.json").write_text("[]", "utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_with_more_words, "the vocabulary is that of another model"),
        (_without_cls, r"vocab.txt lacks [CLS]; it must hold BERT's tokens"),
        (lambda ernie: (ernie / "tokenizer.json").write_text("{}"), "is no tokenizer"),
        (_with_a_broken_note, "tokenizer_config.json holds no JSON object"),
        (lambda ernie: (ernie / "tokenizer.json").unlink(), "has neither tokenizer.json nor"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_one_line(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    ernie = tiny_ernie(tmp_path / "ernie")
    damage(ernie)
    made = CliRunner().invoke(convert.app, ["paddlenlp", str(ernie), str(tmp_path / "network")])
    assert made.exit_code == 1
    assert message in made.stderr.splitlines()[-1]
    assert not (tmp_path / "network").exists()

"""Training on queries written for documents: files, prefixes, and what export says of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.model_dir import load_manifest
from tests.training.ernie import paddle, tiny_ernie
from training.cli import export
from training.data.likeness import likeness_by_words
from training.data.pairs import Pair
from training.data.texts import held_back
from training.export.directory import round_to_bfloat16
from training.failures import DataInvalid, RecipeInvalid
from training.networks.cross_encoder import CrossEncoder
from training.networks.directory import load_codec, load_encoder, load_ranker
from training.networks.encoder import Encoder
from training.objectives.inbatch import InbatchObjective, InbatchRecipe
from training.objectives.rank import RankObjective, RankRecipe
from training.run.recipe import load_recipe
from training.run.trainer import train

# Paddle warns of its own use of NumPy.
pytestmark = pytest.mark.filterwarnings("ignore")

_SUBJECTS = ["国有企业", "民营经济", "海洋生态", "水稻种植", "量子计算", "城市交通", "文学翻译"]
_ASPECTS = ["改革路径", "创新绩效", "保护机制", "发展趋势"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Abstracts, queries for them, lists of negatives by id, and a tiny network."""
    folder = tmp_path_factory.mktemp("natural")
    tiny_ernie(folder / "ernie")
    rows = [
        {
            "id": f"p{number}",
            "title": f"{subject}{aspect}",
            "abstract": f"本文讨论{subject}之{aspect}.",
        }
        for number, (subject, aspect) in enumerate(
            (subject, aspect) for subject in _SUBJECTS for aspect in _ASPECTS
        )
    ]
    ids = [row["id"] for row in rows]
    _write(folder / "abstracts.jsonl", (json.dumps(row, ensure_ascii=False) for row in rows))
    queries = [f"ask\t{row['title'][:4]}\t{row['id']}" for row in rows]
    _write(folder / "natural.tsv", [*queries, "en\tof a paper elsewhere\tp999", "broken"])
    lists = [
        "\t".join(
            [f"{row['title']}研究", row["id"], *(ids[(at + step) % 28] for step in (3, 9, 13))]
        )
        for at, row in enumerate(rows)
    ]
    _write(folder / "lists.tsv", [*lists, "无\tp999\tp1", "无\tp1\tp999"])
    return folder


def _write(path: Path, lines: Any) -> None:
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _recipe(folder: Path, kind: type[Any], output: Path, **settings: Any) -> Any:
    """A recipe as a file, read as the command reads it."""
    path = folder / "recipe.yaml"
    shared = {
        "output": str(output),
        "model": {
            "source": str(folder / "ernie"),
            "freeze_embeddings": True,
            "freeze_layers": 1,
            "dropout": 0.0,
        },
        "optimizer": {"learning_rate": 5e-3},
        "steps": 12,
        "batch_size": 7,
        "max_tokens": 40,
        "query_prefix": "究: ",
        "document_prefix": "论: ",
        "log_every": 1,
        "validation": 0.1,
    }
    path.write_text(yaml.safe_dump(shared | settings, allow_unicode=True), "utf-8")
    return load_recipe(path, kind)


def _natural(folder: Path, output: Path, **settings: Any) -> InbatchRecipe:
    given = {
        "natural": [str(folder / "natural.tsv")],
        "abstracts": [str(folder / "abstracts.jsonl")],
        "dimension": None,
        "margin": 0.0,
        "alike": "words",
    }
    recipe: InbatchRecipe = _recipe(folder, InbatchRecipe, output, **(given | settings))
    return recipe


def _body_weights(network: Encoder) -> dict[str, Any]:
    return {
        name: value.numpy()
        for name, value in network.body.state_dict().items()
        if not name.startswith("pooler.")
    }


def _losses(run: Path) -> list[float]:
    rows = (line.split(",") for line in (run / "metrics.csv").read_text("utf-8").splitlines()[1:])
    return [float(loss) for _, loss, *_ in rows if loss]


def test_an_encoder_of_natural_queries_is_served_with_its_prefixes(
    folder: Path, tmp_path: Path
) -> None:
    recipe = _natural(folder, tmp_path / "run", per_epoch={"natural": 20})
    objective = InbatchObjective.build(recipe)
    pairs = [*objective.examples(np.random.default_rng(0))]
    natural = [pair for pair in pairs if pair.group == "natural"]
    keys = {pair.key for pair in natural}
    assert keys < {f"p{at}" for at in range(28) if not held_back(f"p{at}", 0.1)}
    assert 10 < len(keys) <= 20
    assert "国有企业改革路径\n本文讨论国有企业之改革路径." in {pair.title for pair in natural}
    before = _body_weights(objective.network)
    best = train(recipe, objective)
    assert np.mean(_losses(tmp_path / "run")[-3:]) < np.mean(_losses(tmp_path / "run")[:3])
    encoder = load_encoder(best)
    changed = {
        name.partition(".layers.")[2].split(".")[0]
        for name, value in _body_weights(encoder).items()
        if not np.array_equal(value, before[name])
    }
    assert changed == {"1"}, "the frozen parts stay as they were"

    target = tmp_path / "model"
    result = CliRunner().invoke(export.app, [str(best), str(target), "--max-tokens", "40"])
    assert result.exit_code == 0, result.output
    templates = load_manifest(target).templates
    assert (templates.query, templates.document) == ("究: {query}", "论: {title}\n{text}")
    served = open_encoder(target, PredictorOptions(threads=1, precision="fp32"))
    codec = load_codec(best, encoder)
    round_to_bfloat16(encoder)
    encoder.eval()
    for items, vectors in (
        (codec.queries(["海洋生态"], 40), served.encode_queries(["海 洋 生 態"])),
        (
            codec.documents(["海洋\n生态"], 40),
            served.encode([served.manifest.document_text("海洋", "生态")]),
        ),
    ):
        ids, types = codec.batch(items)
        with paddle.no_grad():
            expected = encoder(paddle.to_tensor(ids), paddle.to_tensor(types)).numpy()
        assert (expected * vectors).sum() > 0.9999


def test_a_stage_keeps_the_prefixes_of_the_one_before(folder: Path, tmp_path: Path) -> None:
    first = InbatchObjective.build(_natural(folder, tmp_path / "first"))
    first.save(tmp_path / "saved")
    model = {"source": str(tmp_path / "saved")}
    recipe = _natural(folder, tmp_path / "next", model=model, query_prefix=None, document_prefix="")
    assert InbatchObjective.build(recipe).codec.prefixes.query == "究: "
    assert InbatchObjective.build(recipe).codec.prefixes.document == ""


def test_natural_queries_of_evaluation_papers_are_not_trained_on(
    folder: Path, tmp_path: Path
) -> None:
    row = (folder / "abstracts.jsonl").read_text("utf-8").splitlines()[4]
    _write(tmp_path / "papers.jsonl", [row])
    recipe = _natural(folder, tmp_path, exclude=[str(tmp_path / "papers.jsonl")], validation=0.0)
    pairs = InbatchObjective.build(recipe).examples(np.random.default_rng(0))
    assert json.loads(row)["id"] not in {pair.key for pair in pairs}
    every = _natural(folder, tmp_path, exclude=[str(folder / "abstracts.jsonl")])
    with pytest.raises(DataInvalid, match="names no document"):
        InbatchObjective.build(every)


def test_wrong_groups_and_lonely_settings_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"per_epoch names nonsense; .* natural"):
        InbatchObjective.build(_natural(folder, tmp_path, per_epoch={"nonsense": 1}))
    with pytest.raises(RecipeInvalid, match="natural needs abstracts or titles"):
        _natural(folder, tmp_path, abstracts=[], pairs=[str(folder / "natural.tsv")])


def test_words_tell_which_documents_are_alike() -> None:
    texts = {str(at): subject * 3 + aspect for at, (subject, aspect) in enumerate(
        (subject, aspect) for aspect in _ASPECTS for subject in _SUBJECTS
    )}  # fmt: skip
    vectors = likeness_by_words(texts, seed=1)([Pair("", "", key, "") for key in texts])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    nearest = cosines.argmax(axis=1)
    assert all(row % len(_SUBJECTS) == near % len(_SUBJECTS) for row, near in enumerate(nearest))


@pytest.mark.parametrize("loss", ["listwise", "margin"])
def test_a_cross_encoder_learns_from_lists_of_ids(loss: str, folder: Path, tmp_path: Path) -> None:
    recipe: RankRecipe = _recipe(
        folder,
        RankRecipe,
        tmp_path / "run",
        lists=[str(folder / "lists.tsv")],
        corpus=[str(folder / "abstracts.jsonl")],
        list_loss=loss,
        negatives=2,
        margin=0.5,
    )
    objective = RankObjective.build(recipe)
    assert len([*objective.trained, *objective.validated]) == 28
    assert objective.trained[0].texts[0] == "国有企业改革路径\n本文讨论国有企业之改革路径."
    assert {item.key for item in objective.validated} == {
        f"p{at}" for at in range(28) if held_back(f"p{at}", 0.1)
    }
    drawn = {objective._drawn(objective.trained[0], np.random.default_rng(at)) for at in range(9)}
    assert {len(texts) for texts in drawn} == {3}
    assert len(drawn) > 1
    best = train(recipe, objective)
    assert np.mean(_losses(tmp_path / "run")[-3:]) < np.mean(_losses(tmp_path / "run")[:3])
    ranker = load_ranker(best)
    assert isinstance(ranker, CrossEncoder)
    if loss == "listwise":
        target = tmp_path / "model"
        result = CliRunner().invoke(export.app, [str(best), str(target), "--max-tokens", "40"])
        assert result.exit_code == 0, result.output
        served = open_ranker(target, PredictorOptions(threads=1, precision="fp32"))
        assert served.manifest.query_text("问") == "究: 问"
        codec = load_codec(best, ranker)
        ids, types = codec.batch(codec.pairs([("海洋", "生态")], 40))
        round_to_bfloat16(ranker)
        ranker.eval()
        with paddle.no_grad():
            expected = ranker(paddle.to_tensor(ids), paddle.to_tensor(types)).numpy()
        text = served.manifest.document_text("", "生态")
        assert served.score("海洋", [text]) == pytest.approx(expected, abs=0.02)

"""Queries learn to find their document among all of a corpus, whose vectors stay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from services.common.engine import PredictorOptions, open_encoder
from services.common.engine.predictor import FloatArray
from tests.models import tiny_encoder
from tests.training.ernie import paddle, tiny_ernie
from tests.training.literature import write_literature
from training.data.pairs import PARTS, Pair
from training.export.directory import ExportOptions, export
from training.export.parity import PROBE
from training.failures import DataInvalid, RecipeInvalid
from training.networks.directory import load_codec, load_encoder
from training.networks.forward import forward
from training.objectives.corpus import CorpusObjective, CorpusRecipe
from training.run.recipe import ModelSettings, OptimizerSettings
from training.run.trainer import train

# Paddle and paddlenlp warn of their own use of NumPy and of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

QUERIES = {
    "企业怎么改": "paper-00",
    "水稻谁来护": "paper-11",
    "量子新不新": "paper-13",
    "开会说了什么": "title-2",
}


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


@pytest.fixture(scope="module")
def teacher(ernie: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start as a served model."""
    directory = tmp_path_factory.mktemp("teacher") / "model"
    network = load_encoder(ernie)
    network.eval()
    options = ExportOptions(name="teacher", version="1", max_tokens=48, query_max_tokens=48)
    export(network, load_codec(ernie, network), ernie, directory, options, PROBE)
    return directory


def recipe_of(folder: Path, ernie: Path, teacher: Path, **settings: Any) -> CorpusRecipe:
    write_literature(folder)
    lines = [f"ask\t{query}\t{key}" for query, key in QUERIES.items()]
    (folder / "queries.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    members = {
        "output": folder / "run",
        "model": ModelSettings(source=str(ernie), dropout=0.0),
        "optimizer": OptimizerSettings(learning_rate=3e-3),
        "teacher": teacher,
        "natural": (folder / "queries.tsv",),
        "abstracts": (folder / "literature_papers.jsonl",),
        "titles": (folder / "literature_titles.jsonl",),
        "steps": 60,
        "batch_size": 8,
        "max_tokens": 48,
        "validation": 0.0,
    }
    return CorpusRecipe.model_validate(members | settings)


def vectors_of(directory: Path, texts: Sequence[str], *, queries: bool) -> FloatArray:
    network = load_encoder(directory)
    network.eval()
    codec = load_codec(directory, network)
    items = codec.queries(texts, 48) if queries else codec.documents(texts, 48)
    with paddle.no_grad():
        vectors: FloatArray = forward(network, codec, items)[0].numpy()
    return vectors


def test_queries_find_their_documents_among_vectors_that_stay(
    ernie: Path, teacher: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, ernie, teacher)
    objective = CorpusObjective.build(recipe)
    first = objective.examples(np.random.default_rng(0))
    assert {pair.query for pair in first} > QUERIES.keys()
    assert not {pair.group for pair in first} & PARTS

    documents = {
        pair.key: pair.title for pair in first if pair.group in ("natural", "keywords-abstract")
    }
    stay = open_encoder(teacher, PredictorOptions(threads=1, precision="fp32"))
    corpus = stay.encode([*documents.values()])
    rows = [[*documents].index(key) for key in QUERIES.values()]

    def found(directory: Path) -> int:
        queries = vectors_of(directory, [*QUERIES], queries=True)
        return int(((queries @ corpus.T).argmax(axis=1) == rows).sum())

    assert found(ernie) < len(QUERIES)
    trained = train(recipe, objective)
    assert found(trained) == len(QUERIES)
    cosines = (vectors_of(trained, [*documents.values()], queries=False) * corpus).sum(axis=1)
    assert cosines.mean() > 0.9


def test_documents_that_are_like_the_answer_are_no_negatives(
    ernie: Path, teacher: Path, tmp_path: Path
) -> None:
    """Vectors of a plane: the second is like the first, the third is not."""
    documents = {"a": "甲", "b": "乙", "c": "丙"}
    plane = np.zeros((3, 32), dtype=np.float32)
    plane[:, :2] = np.array([[1, 0], [0.99, 0.141], [0, 1]])
    batch = [Pair("企业怎么改", "甲", "a", "natural")]

    def loss(alike: float) -> float:
        recipe = recipe_of(tmp_path, ernie, teacher, alike=alike, kept_documents=0)
        built = CorpusObjective.build(recipe)
        objective = CorpusObjective(
            recipe, built.network, built.codec, built.source, documents, plane
        )
        objective.network.eval()
        return float(objective.loss(batch, np.random.default_rng(0))[0])

    query = vectors_of(ernie, [batch[0].query], queries=True)[0]
    logits = 30 * plane @ query
    for alike, kept in ((0.999, [0, 1, 2]), (0.9, [0, 2])):
        expected = np.log(np.exp(logits[kept]).sum()) - logits[0]
        assert loss(alike) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_pairs_and_passages_are_documents_of_the_corpus(
    ernie: Path, teacher: Path, tmp_path: Path
) -> None:
    """Every pair of an epoch is found by its row, whose vector is that of its document."""
    pairs, passages = tmp_path / "pairs.tsv", tmp_path / "passages.jsonl"
    pairs.write_text("怎样种水稻\t水稻的种法\n谁写了红楼梦\t红楼梦的作者是谁\n", "utf-8")
    passages.write_text('{"id": "passage-1", "text": "长城在北方。它是古人修建的。"}\n', "utf-8")
    recipe = recipe_of(tmp_path, ernie, teacher)
    questions = tmp_path / "queries.tsv"
    questions.write_text(questions.read_text("utf-8") + "people\t谁修了墙\tpassage-1\n", "utf-8")
    more = {
        "general_pairs": (pairs,),
        "abstracts": (*recipe.abstracts, passages),
        "per_epoch": {"pairs": 1},
    }
    objective = CorpusObjective.build(recipe.model_copy(update=more))
    found = objective.examples(np.random.default_rng(0))
    groups = [pair.group for pair in found]
    assert groups.count("pairs") == 1
    assert "谁修了墙" in {pair.query for pair in found}
    assert objective.vectors.shape == (33, 32)
    stay = open_encoder(teacher, PredictorOptions(threads=1, precision="fp32"))
    (pair,) = (pair for pair in found if pair.group == "pairs")
    likeness = objective.vectors @ stay.encode([pair.title, "长城在北方。它是古人修建的。"]).T
    assert likeness.max(axis=0) == pytest.approx(1, abs=1e-3)
    assert np.isfinite(float(objective.loss([*found], np.random.default_rng(0))[0]))


def test_a_run_that_goes_on_finds_the_vectors_that_it_made(
    ernie: Path, teacher: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, ernie, teacher)
    CorpusObjective.build(recipe)
    (kept,) = recipe.output.glob("vectors-*.npy")
    vectors = np.load(kept)
    assert vectors.shape == (30, 32)
    np.save(kept, -vectors)
    assert CorpusObjective.build(recipe).vectors == pytest.approx(-vectors)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"abstracts": (), "titles": (), "natural": ()}, "give general_pairs, abstracts or titles"),
        (
            {"abstracts": (), "titles": (), "general_pairs": ("pairs.tsv",)},
            "natural needs abstracts or titles",
        ),
        ({"per_epoch": {"natural": -5}}, r"per_epoch\.natural"),
    ],
)
def test_a_recipe_without_documents_is_refused(
    ernie: Path, teacher: Path, tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        recipe_of(tmp_path, ernie, teacher, **settings)


def test_a_corpus_of_which_nothing_is_left_is_told(
    ernie: Path, teacher: Path, tmp_path: Path
) -> None:
    """Every document is one of evaluation."""
    papers = (tmp_path / "literature_papers.jsonl",)
    kept = recipe_of(
        tmp_path, ernie, teacher, abstracts=papers, titles=(), natural=(), exclude=papers
    )
    with pytest.raises(DataInvalid, match="nothing is left to train on"):
        CorpusObjective.build(kept)


def test_a_teacher_of_other_dimension_is_refused(ernie: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, ernie, tiny_encoder(tmp_path / "teacher"))
    with pytest.raises(RecipeInvalid, match=r"have 16 dimensions, those of .* 32"):
        CorpusObjective.build(recipe)

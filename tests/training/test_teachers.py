"""Students: a ranker and an encoder learn what a served model answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from tests.models import tiny_encoder
from tests.training.ernie import paddle, tiny_ernie
from tests.training.literature import write_literature
from training.cli.train import app
from training.export.directory import ExportOptions, export
from training.export.parity import PROBE
from training.failures import RecipeInvalid
from training.networks.directory import Ranker, load_codec, load_encoder, load_ranker
from training.networks.encoder import Encoder
from training.networks.forward import forward
from training.objectives.distil import DistilObjective, DistilRecipe
from training.objectives.rank import RankObjective, RankRecipe
from training.objectives.teacher import cosine_loss, distillation_loss
from training.run.recipe import ModelSettings, OptimizerSettings
from training.run.trainer import train

# Paddle and paddlenlp warn of their own use of NumPy and of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

_OPTIONS = PredictorOptions(threads=1, precision="fp32")
_SUBJECTS = ["国有企业", "民营经济", "海洋生态", "水稻种植", "量子计算", "城市交通"]
_ASPECTS = ["的改革研究", "的保护", "综述", "的影响"]


@pytest.fixture(scope="module")
def ernie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ernie(tmp_path_factory.mktemp("ernie") / "model")


@pytest.fixture(scope="module")
def ranker(ernie: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of a ranker with two layers and decided opinions."""
    paddle.seed(5)
    network = load_ranker(ernie)
    network.score.weight.set_value(network.score.weight * 20)
    return _served(network, ernie, tmp_path_factory.mktemp("teacher") / "ranker")


def _served(network: Encoder | Ranker, source: Path, directory: Path) -> Path:
    network.eval()
    options = ExportOptions(name="teacher", version="1", max_tokens=48, query_max_tokens=48)
    export(network, load_codec(source, network), source, directory, options, PROBE)
    return directory


def _rank_recipe(ernie: Path, folder: Path, **settings: Any) -> RankRecipe:
    return RankRecipe(
        **{
            "output": folder / "run",
            "model": ModelSettings(source=str(ernie), layers=(2,), dropout=0.0),
            "optimizer": OptimizerSettings(learning_rate=1e-2),
            "steps": 30,
            "batch_size": 6,
            "max_tokens": 48,
            "validation": 0.0,
            "lists": (folder / "lists.tsv",),
            **settings,
        }
    )


def test_distillation_losses() -> None:
    student, teacher = np.array([[1.0, 0.0], [0.0, 3.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])

    def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        powers = np.exp(logits)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    taught, own = softmax(teacher), softmax(student)
    expected = (taught * np.log(taught / own)).sum() / 2
    tensors = [paddle.to_tensor(each.astype(np.float32)) for each in (student, teacher)]
    assert float(distillation_loss(*tensors)) == pytest.approx(expected, rel=1e-4)
    assert float(distillation_loss(tensors[1], tensors[1])) == pytest.approx(0, abs=1e-6)
    vectors = [paddle.to_tensor(np.array(each, np.float32)) for each in ([[1, 0]], [[0.6, 0.8]])]
    assert float(cosine_loss(*vectors)) == pytest.approx(0.4, rel=1e-5)


@pytest.mark.parametrize("share", [1.0, 0.01])
def test_a_ranker_learns_the_order_of_its_teacher(
    share: float, ernie: Path, ranker: Path, tmp_path: Path
) -> None:
    teacher = open_ranker(ranker, _OPTIONS)
    lists = []
    for subject in _SUBJECTS:
        texts = [subject + aspect for aspect in _ASPECTS]
        # The answer of a list is the document that the teacher likes least.
        order = np.argsort(teacher.score(subject, texts))
        lists.append((subject, [texts[at] for at in order]))
    rows = ["\t".join([query, *texts]) for query, texts in lists]
    (tmp_path / "lists.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    recipe = _rank_recipe(ernie, tmp_path, teacher=ranker, teacher_share=share)
    student = load_ranker(train(recipe, RankObjective.build(recipe)))
    assert student.body.config.num_hidden_layers == 1
    student.eval()
    orders = [_order(student, ernie, query, texts) for query, texts in lists]
    ranked = sum(order == [*range(len(_ASPECTS))] for order in orders)
    answered = sum(order[-1] == 0 for order in orders)
    assert (ranked, answered) == ((len(lists), 0) if share == 1 else (0, len(lists)))


def _order(student: Ranker, source: Path, query: str, texts: Sequence[str]) -> list[int]:
    """The numbers of the texts, the worst first."""
    codec = load_codec(source, student)
    items = codec.pairs([(query, text) for text in texts], 48)
    with paddle.no_grad():
        return [int(at) for at in np.argsort(forward(student, codec, items)[0].numpy())]


def test_an_encoder_learns_the_vectors_of_its_teacher(ernie: Path, tmp_path: Path) -> None:
    paddle.seed(5)
    whole = load_encoder(ernie, pooling="cls")
    teacher = _served(whole, ernie, tmp_path / "teacher")
    write_literature(tmp_path)
    queries = [
        f"ask\t{subject}怎么办\tpaper-{3 * row:02d}" for row, subject in enumerate(_SUBJECTS)
    ]
    unknown = "ask\t水稻\tpaper-99"
    held_out = _first_papers(tmp_path, 2)
    title = json.loads(held_out.read_text("utf-8").splitlines()[0])["title"]
    shown = f"ask\t{title}\tpaper-09"
    (tmp_path / "queries.tsv").write_text("\n".join([*queries, unknown, shown]) + "\n", "utf-8")
    recipe = DistilRecipe(
        output=tmp_path / "run",
        model=ModelSettings(source=str(ernie), layers=(2,), pooling="mean", dropout=0.0),
        optimizer=OptimizerSettings(learning_rate=5e-3),
        teacher=teacher,
        corpus=(tmp_path / "literature_papers.jsonl",),
        queries=(tmp_path / "queries.tsv",),
        exclude=(held_out,),
        steps=40,
        batch_size=8,
        max_tokens=48,
        validation=0.2,
        validate_every=20,
    )
    objective = DistilObjective.build(recipe)
    held_back = [item.text for item in objective.validation()]
    taught = [*objective.examples(np.random.default_rng(0)), *objective.validation()]
    assert {item.text for item in taught if item.query} == {
        f"{each}怎么办" for each in _SUBJECTS[1:]
    }
    assert len(taught) == 22 + 5

    def cosines(student: Path, layers: tuple[int, ...] | None) -> float:
        network = load_encoder(student, layers=layers)
        network.eval()
        codec = load_codec(ernie, network)
        with paddle.no_grad():
            vectors = forward(network, codec, codec.documents(held_back, 48))[0].numpy()
        model = open_encoder(teacher, _OPTIONS)
        return float((vectors * model.encode(held_back)).sum(axis=1).mean())

    before = cosines(ernie, (2,))
    after = cosines(train(recipe, objective), None)
    assert after > 0.9 > before + 0.05


def _first_papers(folder: Path, count: int) -> Path:
    lines = (folder / "literature_papers.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:count]]
    path = folder / "held-out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_teacher_of_other_dimension_is_refused(ernie: Path, tmp_path: Path) -> None:
    write_literature(tmp_path)
    recipe = DistilRecipe(
        output=tmp_path / "run",
        model=ModelSettings(source=str(ernie)),
        teacher=tiny_encoder(tmp_path / "teacher"),
        corpus=(tmp_path / "literature_papers.jsonl",),
        steps=1,
    )
    with pytest.raises(RecipeInvalid, match=r"have 16 dimensions, those of .* 32"):
        DistilObjective.build(recipe)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [("missing", "there is no manifest.json"), ("encoder", "a model of kind encoder, not ranker")],
)
def test_a_wrong_teacher_is_named_in_one_line(
    teacher: str, message: str, ernie: Path, tmp_path: Path
) -> None:
    if teacher == "encoder":
        tiny_encoder(tmp_path / teacher)
    recipe = tmp_path / "rank.yaml"
    # The lists do not exist either: the teacher is looked at first.
    recipe.write_text(
        f"output: {tmp_path}/run\nmodel: {{source: {ernie}}}\nsteps: 1\n"
        f"lists: [{tmp_path}/lists.tsv]\nteacher: {tmp_path}/{teacher}\n",
        "utf-8",
    )
    result = CliRunner().invoke(app, ["rank", str(recipe)])
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "settings", [{"triples": ("t.tsv",)}, {"graded": ("g.tsv",)}, {"list_loss": "margin"}]
)
def test_a_teacher_is_for_lists(ernie: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="teacher"):
        _rank_recipe(ernie, tmp_path, teacher=tmp_path, **settings)

"""Recipes: typed, overridable, and wrong ones named; the commands say what to do."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from training.cli.train import RECIPES, app
from training.data.pairs import read_pairs
from training.data.texts import read_documents
from training.failures import DataInvalid, RecipeInvalid
from training.objectives.corpus import CorpusRecipe
from training.objectives.distil import DistilRecipe
from training.objectives.inbatch import InbatchRecipe
from training.objectives.pretrain import PretrainRecipe
from training.objectives.rank import RankRecipe
from training.objectives.simcse import SimcseRecipe
from training.run.recipe import Recipe, load_recipe

# Paddle warns of its own use of NumPy.
pytestmark = pytest.mark.filterwarnings("ignore")

_KINDS: dict[str, type[Recipe]] = {
    "pretrain": PretrainRecipe,
    "simcse": SimcseRecipe,
    "literature-encoder": InbatchRecipe,
    "ranker": RankRecipe,
    "demonstration": InbatchRecipe,
    "natural-encoder": InbatchRecipe,
    "natural-encoder-more": InbatchRecipe,
    "natural-encoder-voices": InbatchRecipe,
    "natural-ranker": RankRecipe,
    "natural-ranker-more": RankRecipe,
    "natural-ranker-forms": RankRecipe,
    "natural-ranker-apart": RankRecipe,
    "natural-ranker-general": RankRecipe,
    "natural-ranker-small": RankRecipe,
    "natural-encoder-small": DistilRecipe,
    "natural-encoder-corpus": CorpusRecipe,
    "natural-encoder-general": CorpusRecipe,
    "chain-pretrain": PretrainRecipe,
    "chain-simcse": SimcseRecipe,
    "chain-inbatch": InbatchRecipe,
    "chain-ranker": RankRecipe,
}


def test_every_shipped_recipe_is_known_and_valid() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(_KINDS)
    for name, kind in _KINDS.items():
        recipe = load_recipe(RECIPES / f"{name}.yaml", kind)
        assert not recipe.output.is_absolute()
        assert not Path(recipe.model.source).is_absolute()


def test_overrides() -> None:
    given = ["optimizer.learning_rate=1e-5", "steps=7", "views=dropout", "model.dropout=0.2"]
    recipe = load_recipe(RECIPES / "simcse.yaml", SimcseRecipe, given)
    assert recipe.optimizer.learning_rate == 1e-5
    assert (recipe.steps, recipe.views, recipe.model.dropout) == (7, "dropout", 0.2)


def test_an_override_keeps_a_prefix_as_it_is_written() -> None:
    given = ["query_prefix=query: ", "document_prefix=- 文：", "texts=[a.txt, b.txt]"]
    recipe = load_recipe(RECIPES / "simcse.yaml", SimcseRecipe, given)
    assert (recipe.query_prefix, recipe.document_prefix) == ("query: ", "- 文：")
    assert recipe.texts == (Path("a.txt"), Path("b.txt"))
    counts = load_recipe(
        RECIPES / "natural-encoder.yaml", InbatchRecipe, ["per_epoch={natural: 5}"]
    ).per_epoch
    assert counts == {"natural": 5}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps=0", "steps"),
        ("model=ernie", "model: a section with settings is needed"),
        ("optimizer=3", "optimizer: a section with settings is needed"),
        ("output=", "output: a path is needed"),
        ("texts=[3]", "texts.0: a path is needed"),
        ("texts=a.txt", "texts: a list is needed"),
        ("model.layers=[2,1]", "model.layers: name at least one layer"),
        ("texts=[a.txt", r"'texts=\[a.txt' cannot be read"),
        ('views="crop', "cannot be read"),
        ("steps=@", "cannot be read"),
        ("steps=1\x00", "cannot be read"),
        ("stepz=3", "stepz"),
        ("seed=-1", "seed"),
        ("seed=4294967296", "seed"),
        ("optimizer.learning_rate=inf", "learning_rate.*finite"),
        ("scale=.nan", "scale"),
        ("views=both", "views"),
        ("steps", "key=value"),
        ("steps.many=1", "no section"),
    ],
)
def test_a_wrong_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(RecipeInvalid, match=message):
        load_recipe(RECIPES / "simcse.yaml", SimcseRecipe, [override])


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    for read in (
        lambda: read_pairs(tmp_path, "g"),
        lambda: read_documents([tmp_path], stream=True),
    ):
        with pytest.raises(DataInvalid, match="is a folder; name a file in it"):
            read()


def test_a_recipe_without_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rank.yaml"
    path.write_text("output: run\nmodel: {source: starter}\nsteps: 1\n", "utf-8")
    with pytest.raises(RecipeInvalid, match="triples"):
        load_recipe(path, RankRecipe)


@pytest.mark.parametrize("charset", ["gb18030", "utf-16"])
def test_a_recipe_of_another_charset_is_named(charset: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("output: 运行\nmodel: {source: 起点}\nsteps: 1\n", charset)
    result = CliRunner().invoke(app, ["rank", str(path)])
    assert (result.exit_code, result.stderr) == (1, f"{path} is not UTF-8; save it in UTF-8\n")


def test_missing_data_is_one_line_that_says_what_to_fetch(tmp_path: Path) -> None:
    given = [f"abstracts=[{tmp_path}/literature_abstracts.jsonl]", f"output={tmp_path}/run"]
    given += ["titles=[]", "natural=[]", "exclude=[]", "per_epoch={}"]
    result = CliRunner().invoke(app, ["inbatch", "natural-encoder", *given])
    assert result.exit_code == 1
    assert "made of GitHub CLUEbenchmark/FewCLUE by `xunwen prepare`" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_directory_of_another_run_is_named_before_the_data_are_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    given = [f"output={run}", f"texts=[{tmp_path}/none.txt]", "exclude=[]"]
    recipe = load_recipe(RECIPES / "simcse.yaml", SimcseRecipe, given)
    saved = recipe.model_dump(mode="json") | {"steps": 7}
    (run / "recipe.yaml").write_text(yaml.safe_dump(saved), "utf-8")
    result = CliRunner().invoke(app, ["simcse", "simcse", *given])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert "other settings (steps)" in result.stderr
    assert not (run / "train.log").exists()


@pytest.mark.parametrize("recipe", ["no-such", "simcse"])
def test_what_is_wrong_with_a_run_is_one_line(recipe: str) -> None:
    result = CliRunner().invoke(app, ["simcse", recipe, "steps=-1"])
    assert result.exit_code == 1
    assert ("cannot be read" if recipe == "no-such" else "steps") in result.stderr
    assert result.stderr.count("\n") == 1

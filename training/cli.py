"""`xunwen train`: one command per stage, each run by a recipe."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from training import runtime
from training.config import (
    InbatchRecipe,
    PretrainRecipe,
    RankRecipe,
    Recipe,
    SimcseRecipe,
    load_recipe,
)
from training.failures import plain_errors

RECIPES = Path(__file__).parent / "recipes"
LOG_FILE = "train.log"

R = TypeVar("R", bound=Recipe)

app = typer.Typer(
    help="Train a model by a recipe. A run that was killed goes on when it is started again.",
    no_args_is_help=True,
    add_completion=False,
)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name of training/recipes")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Other settings than the recipe's: steps=100 optimizer.learning_rate=1e-5",
    ),
]


# Paddle loads in the commands, after `_started` has set its threads: `--help` stays quick too.


@app.command()
def pretrain(recipe: RecipeArgument, overrides: Overrides = None) -> None:
    """Predict hidden words of domain text (domain-adaptive pretraining)."""
    with _started(recipe, PretrainRecipe, overrides) as settings:
        from training.stages import pretrain_objective
        from training.trainer import train

        _say(train(settings, pretrain_objective(settings)))


@app.command()
def simcse(recipe: RecipeArgument, overrides: Overrides = None) -> None:
    """Two views of a text should be nearer than other texts (unsupervised)."""
    with _started(recipe, SimcseRecipe, overrides) as settings:
        from training.stages import simcse_objective
        from training.trainer import train

        _say(train(settings, simcse_objective(settings)))


@app.command()
def inbatch(recipe: RecipeArgument, overrides: Overrides = None) -> None:
    """A query should find its own title among all of the batch (supervised)."""
    with _started(recipe, InbatchRecipe, overrides) as settings:
        from training.stages import inbatch_objective
        from training.trainer import train

        _say(train(settings, inbatch_objective(settings)))


@app.command()
def rank(recipe: RecipeArgument, overrides: Overrides = None) -> None:
    """The ranker: a title should score above its negatives, or as its grade says."""
    with _started(recipe, RankRecipe, overrides) as settings:
        from training.stages import rank_objective
        from training.trainer import train

        _say(train(settings, rank_objective(settings)))


@contextmanager
def _started(recipe: str, kind: type[R], overrides: list[str] | None) -> Iterator[R]:
    """The recipe, with Paddle's settings made and the run's log opened."""
    with plain_errors():
        settings = load_recipe(_path(recipe), kind, overrides)
        runtime.prepare()
        settings.output.mkdir(parents=True, exist_ok=True)
        form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
        handlers: list[logging.Handler] = [
            logging.StreamHandler(),
            logging.FileHandler(settings.output / LOG_FILE, encoding="utf-8"),
        ]
        package = logging.getLogger("training")
        package.setLevel(logging.INFO)
        package.propagate = False  # paddlenlp gives the root logger a handler of its own
        for handler in handlers:
            handler.setFormatter(form)
            package.addHandler(handler)
        try:
            yield settings
        finally:
            for handler in handlers:
                package.removeHandler(handler)
                handler.close()


def _path(recipe: str) -> Path:
    named = RECIPES / f"{recipe}.yaml"
    return named if named.is_file() and not Path(recipe).is_file() else Path(recipe)


def _say(best: Path) -> None:
    typer.echo(f"the best network is in {best}")


if __name__ == "__main__":
    app()

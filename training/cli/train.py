"""The commands `xunwen train`: one for each objective of the registry, run by a recipe."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from training.failures import plain_errors
from training.objectives.registry import STAGES
from training.run import runtime
from training.run.recipe import load_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
LOG_FILE = "train.log"

app = typer.Typer(
    help="Train a model by a recipe. A run that was killed resumes when it is started again.",
    no_args_is_help=True,
    add_completion=False,
)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="YAML file, or name of a recipe in training/recipes")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings that replace the recipe's: steps=100 optimizer.learning_rate=1e-5",
    ),
]


def _register(name: str, summary: str) -> None:
    @app.command(name, help=summary)
    def run(recipe: RecipeArgument, overrides: Overrides = None) -> None:
        with plain_errors():
            runtime.prepare()
            # Paddle loads after its settings are made; importing it here also keeps `--help` quick.
            from training.objectives.registry import objective_of
            from training.run.directory import check
            from training.run.trainer import train

            objective = objective_of(name)
            settings = load_recipe(_path(recipe), objective.recipe_type, overrides)
            check(settings)  # Reading the data takes long.
            with _logged(settings.output):
                best = train(settings, objective.build(settings))
        typer.echo(f"the best network is in {best}")


for _name, _stage in STAGES.items():
    _register(_name, _stage.summary)


@contextmanager
def _logged(run: Path) -> Iterator[None]:
    """Writes the log of `training` to the terminal and to the run's log file."""
    run.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    handlers: list[logging.Handler] = [
        logging.StreamHandler(),
        logging.FileHandler(run / LOG_FILE, encoding="utf-8"),
    ]
    package = logging.getLogger("training")
    package.setLevel(logging.INFO)
    package.propagate = False  # paddlenlp gives the root logger a handler of its own.
    for handler in handlers:
        handler.setFormatter(form)
        package.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            package.removeHandler(handler)
            handler.close()


def _path(recipe: str) -> Path:
    named = RECIPES / f"{recipe}.yaml"
    return named if named.is_file() and not Path(recipe).is_file() else Path(recipe)


if __name__ == "__main__":
    app()

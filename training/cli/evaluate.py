"""`xunwen eval`: offline (a model), online (the cascade), own (your queries), blend (weights)."""

import typer

from training.cli import evaluate_offline, evaluate_online, evaluate_own
from training.evaluation import blend

app = typer.Typer(help="Measure search quality.", no_args_is_help=True)
app.command("offline")(evaluate_offline.main)
app.command("online")(evaluate_online.main)
app.command("own")(evaluate_own.main)
app.command("blend")(blend.main)


if __name__ == "__main__":
    app()

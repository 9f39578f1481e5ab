"""`xunwen eval`: offline (a model alone), online (the cascade as served), blend (its weights)."""

import typer

from training.evaluation import blend, offline, online

app = typer.Typer(help="Measure search quality.", no_args_is_help=True)
app.command("offline")(offline.main)
app.command("online")(online.main)
app.command("blend")(blend.main)


if __name__ == "__main__":
    app()

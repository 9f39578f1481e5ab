"""`xunwen eval`: offline (a model, no servers) and online (the cascade as it is served)."""

import typer

from training.evaluation import offline, online

app = typer.Typer(help="Measure search quality.", no_args_is_help=True)
app.command("offline")(offline.main)
app.command("online")(online.main)


if __name__ == "__main__":
    app()

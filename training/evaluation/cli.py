"""`xunwen eval`: offline (a model, no servers), online (the cascade as it is served), blend (a fit)."""

import typer

from training.evaluation import blend, offline, online

app = typer.Typer(help="Measure search quality.", no_args_is_help=True)
app.command("offline")(offline.main)
app.command("online")(online.main)
app.command("blend")(blend.main)


if __name__ == "__main__":
    app()

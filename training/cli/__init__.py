"""The offline commands of `xunwen`: one module for each command, each with its Typer `app`."""

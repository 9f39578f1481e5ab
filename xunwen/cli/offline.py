"""Commands that need an extra of the distribution. Their modules are loaded when they are
called."""

import importlib
import sys

import typer
from typer.main import get_command

from xunwen.client import XunwenError

_COMMANDS = {
    "keys": ("xunwen.cli.keys", "API keys: create, list, rotate, revoke, audit."),
    "tune": ("xunwen.cli.tuning", "Measure which search parameters a collection needs."),
    "mcp": ("xunwen.cli.mcp", "Serve tools for agents on standard input and output."),
    "prepare": ("training.cli.prepare", "Make training files from clones of public data sets."),
    "train": ("training.cli.train", "Train a network by a recipe."),
    "eval": ("training.cli.evaluate", "Measure the quality of search and models."),
    "mine": ("training.cli.mine", "Find hard negatives for training by an encoder."),
    "import": ("training.cli.convert", "Make a network or model directory of a foreign model."),
    "export": ("training.cli.export", "Make a model directory of a trained network."),
    "quantise": ("training.cli.quantise", "Add an int8 program to an exported model."),
    "extract": ("training.cli.extract", "Write the vectors of many texts to files."),
    "load": ("training.cli.load", "Load such files into a collection."),
    "predict": ("training.cli.predict", "Print the similarity of pairs, or the vectors of texts."),
}

_EXTRAS = {"keys": "embedded", "tune": "embedded", "mcp": "mcp"}
"""Extra that a command needs; all others need `training`."""
_NEWEST_FOR_TRAINING = (3, 12)
"""Version of Python; paddlenlp and paddle2onnx cannot be installed under a newer one."""


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    for name, (module, summary) in _COMMANDS.items():
        app.command(
            name,
            help=summary,
            rich_help_panel="Commands" if name in _EXTRAS else "Offline",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_runner(name, module))


def _runner(name: str, module: str):  # type: ignore[no-untyped-def]  # typer reads the inner one
    def run(ctx: typer.Context) -> None:
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise XunwenError(advice(name, error.name, sys.version_info[:2])) from error
        get_command(loaded.app).main(args=ctx.args, prog_name=f"xunwen {name}", obj=ctx.obj)

    return run


def advice(command: str, module: str | None, python: tuple[int, int]) -> str:
    """What to do when `command` misses `module` under this version of Python."""
    needs = f"`xunwen {command}` needs {module}"
    if module in {"paddlenlp", "paddle2onnx"} and python > _NEWEST_FOR_TRAINING:
        newest = ".".join(map(str, _NEWEST_FOR_TRAINING))
        return f"{needs}, which cannot be installed under a newer Python than {newest}; use that."
    extra = _EXTRAS.get(command, "training")
    return f"{needs}; install the extra: pip install 'xunwen[{extra}]' (in a checkout: make dev)."

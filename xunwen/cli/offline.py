"""Commands that need an extra of their own, loaded when called: training, and the keys."""

import importlib

import typer
from typer.main import get_command

from xunwen.client import XunwenError

_COMMANDS = {
    "keys": ("xunwen.cli.keys", "API keys: create, list, rotate, revoke, audit."),
    "tune": ("xunwen.cli.tuning", "Search parameters of a collection, by measurement."),
    "train": ("training.cli", "Train: pretrain, simcse, inbatch, rank."),
    "eval": ("training.evaluation.cli", "Measure the quality of search and models."),
    "mine": ("training.mining_cli", "Hard negatives for training, by the recall model."),
    "export": ("training.export_cli", "A trained network to a model directory."),
    "quantise": ("training.quantise_cli", "An int8 program for an exported model."),
    "extract": ("training.extract.cli", "Vectors of many texts to files."),
    "load": ("training.extract.load_cli", "Put such files into a collection."),
    "predict": ("training.extract.predict_cli", "Similarity of pairs, vectors of texts."),
}

_EMBEDDED = ("keys", "tune")
"""Those that need the extra `embedded`; the others need `training`."""


def register(app: typer.Typer) -> None:
    for name, (module, summary) in _COMMANDS.items():
        app.command(
            name,
            help=summary,
            rich_help_panel="Commands" if name in _EMBEDDED else "Offline",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_runner(name, module))


def _runner(name: str, module: str):  # type: ignore[no-untyped-def]  # typer reads the inner one
    def run(ctx: typer.Context) -> None:
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            extra = "embedded" if name in _EMBEDDED else "training"
            raise XunwenError(
                f"`xunwen {name}` needs {error.name}; install the extra: pip install"
                f" 'xunwen[{extra}]' (in a checkout: make dev)."
            ) from error
        get_command(loaded.app).main(args=ctx.args, prog_name=f"xunwen {name}", obj=ctx.obj)

    return run

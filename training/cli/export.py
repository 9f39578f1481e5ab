"""The command `xunwen export`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from services.common.model_dir import Calibration, pack
from training.cli.options import validated
from training.failures import ModelUnknown, ParityError, plain_errors
from training.run import runtime

app = typer.Typer(add_completion=False)


@app.command()
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="Directory best/ or last/ of a run, or one that `xunwen import` wrote"),
    ],
    directory: Annotated[Path, typer.Argument(help="Model directory to write")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: that of the directory")
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the model")] = "1.0.0",
    max_tokens: Annotated[
        int, typer.Option(min=8, help="Most tokens of a document, or of a pair")
    ] = 256,
    query_max_tokens: Annotated[int, typer.Option(min=8)] = 64,
    pooling: Annotated[
        str | None,
        typer.Option(help="Pooling, mean, cls or pooler; default: as the network was saved"),
    ] = None,
    query_prefix: Annotated[
        str | None, typer.Option(help="Words before a query; default: as in training")
    ] = None,
    document_prefix: Annotated[
        str | None, typer.Option(help="Words before a document; default: as in training")
    ] = None,
    calibration: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Slope and intercept of the line from logits to log-odds (rankers)"),
    ] = None,
) -> None:
    """Write a model directory, and check that its program computes what the network does.

    The directory gets the static program, its weights, an int8 program if that agrees well enough,
    the tokenizer, and the manifest with fingerprint and checksums. Weights are rounded to int8
    codes if there is an int8 program, else to bfloat16; git holds weights.packed and weights.int8
    for them. If the export is refused, the directory stays as it was.
    """
    runtime.prepare()
    runtime.show_log()
    with plain_errors():
        from training.export.directory import ExportOptions, draft_of
        from training.export.directory import export as write
        from training.export.parity import PROBE
        from training.export.quantisation.int8 import write_int8
        from training.networks.directory import load_codec, load_encoder, load_ranker
        from training.networks.source import read_source

        if not checkpoint.is_dir():
            raise ModelUnknown(f"{checkpoint} is no directory")
        read = read_source(checkpoint).pooled_by(pooling)
        # A network from pretraining is served as an encoder: its body without the prediction head.
        network = load_ranker(read) if read.head.get("kind") == "ranker" else load_encoder(read)
        network.prefixes = network.prefixes.replaced(query_prefix, document_prefix)
        codec = load_codec(checkpoint, network)
        options = ExportOptions(
            name=name or directory.resolve().name,
            version=version,
            max_tokens=max_tokens,
            query_max_tokens=query_max_tokens,
            calibration=(
                validated(Calibration, slope=calibration[0], intercept=calibration[1])
                if calibration
                else None
            ),
        )
        with draft_of(directory) as draft:
            parity = write(network, codec, checkpoint, draft, options, PROBE)
            try:
                parity |= write_int8(draft, PROBE)
            except ParityError as error:
                typer.echo(f"no int8 program: {error}", err=True)
                pack(draft)
    typer.echo(f"{directory} written; parity {json.dumps(parity)}")


if __name__ == "__main__":
    app()

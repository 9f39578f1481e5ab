"""`xunwen export`."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from services.common.model_dir import Calibration
from training import runtime
from training.failures import ModelUnknown, ParityError, plain_errors

app = typer.Typer(add_completion=False)


@app.command()
def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="A run's best/ or last/, or an ERNIE directory (an encoder)")
    ],
    directory: Annotated[Path, typer.Argument(help="The model directory to write")],
    name: Annotated[str | None, typer.Option(help="Without: the directory's")] = None,
    version: Annotated[str, typer.Option(help="Of the model")] = "1.0.0",
    max_tokens: Annotated[int, typer.Option(min=8, help="Of a document, or of a pair")] = 256,
    query_max_tokens: Annotated[int, typer.Option(min=8)] = 64,
    calibration: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Slope and intercept from logits to log-odds (rankers)"),
    ] = None,
) -> None:
    """Write what the services load, and check that it computes what the network does.

    The directory gets the static program, bfloat16-rounded weights, an int8 program where that
    is near enough, the tokenizer, and the manifest with fingerprint and checksums; git holds
    weights.packed for the weights.
    """
    runtime.prepare()
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    logging.getLogger("training").setLevel(logging.INFO)
    with plain_errors():
        from training.export import ExportOptions
        from training.export import export as write
        from training.networks import kind_of, load_encoder, load_ranker
        from training.parity import PROBE
        from training.quantisation.int8 import write_int8
        from training.tokenization import TextCodec, load_tokenizer

        if not (checkpoint / "config.json").is_file():
            raise ModelUnknown(f"{checkpoint} holds no network: config.json is missing")
        load = load_ranker if kind_of(checkpoint) == "ranker" else load_encoder
        network = load(checkpoint)
        codec = TextCodec(load_tokenizer(checkpoint), network.body.config.pad_token_id)
        options = ExportOptions(
            name=name or directory.resolve().name,
            version=version,
            max_tokens=max_tokens,
            query_max_tokens=query_max_tokens,
            calibration=(
                Calibration(slope=calibration[0], intercept=calibration[1]) if calibration else None
            ),
        )
        parity = write(network, codec, checkpoint, directory, options, PROBE)
        try:
            parity["int8"] = write_int8(directory, PROBE)
        except ParityError as error:
            typer.echo(f"no int8 program: {error}", err=True)
    typer.echo(f"{directory} written; parity {json.dumps(parity)}")


if __name__ == "__main__":
    app()

"""`xunwen extract`."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.common.engine import PredictorOptions, open_encoder
from training.extract.extraction import SHARD_LINES, Progress
from training.extract.extraction import extract as extract_shards
from training.extract.options import ENCODER, EncoderOption, PrecisionOption, plain_errors

app = typer.Typer()


@app.command()
def extract(
    source: Annotated[Path, typer.Argument(help=".jsonl or .txt, also .gz; a document a line")],
    folder: Annotated[Path, typer.Argument(help="Where the shards go; goes on where it stopped")],
    encoder: EncoderOption = ENCODER,
    precision: PrecisionOption = "auto",
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the stored vectors")
    ] = "float32",
    shard_lines: Annotated[int, typer.Option(min=1, help="Lines of one shard")] = SHARD_LINES,
) -> None:
    """Encode millions of lines into sharded .npy files; killed, it goes on where it stopped."""
    began: float | None = None
    before = 0

    def report(progress: Progress) -> None:
        nonlocal began, before
        # The first shard of a run also warms the model up: the rate counts from its end.
        if began is None:
            began, before = time.monotonic(), progress.documents
        seconds = time.monotonic() - began
        rate = f", {(progress.documents - before) / seconds:,.0f}/s" if seconds else ""
        typer.echo(
            f"{progress.done:4.0%}  {progress.documents:,} documents,"
            f" {progress.rejected:,} rejected{rate}",
            err=True,
        )

    with plain_errors():
        model = open_encoder(encoder, PredictorOptions(precision=precision))
        done = extract_shards(
            source, folder, model, dtype=dtype, shard_lines=shard_lines, report=report
        )
    typer.echo(f"{done.documents:,} documents in {folder}, {done.rejected:,} lines rejected")


if __name__ == "__main__":
    app()

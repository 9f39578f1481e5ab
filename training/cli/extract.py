"""The command `xunwen extract`."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.common.engine import PredictorOptions, open_encoder
from training.cli.options import ENCODER, EncoderOption, PrecisionOption
from training.cli.reading import CharsetOption, FormatOption, MappingOption, document_file
from training.extract.extraction import SHARD_RECORDS, Portion, Progress
from training.extract.extraction import extract as extract_shards
from training.failures import plain_errors
from xunwen.embedded.leash import leash

app = typer.Typer()


@app.command()
def extract(
    source: Annotated[
        Path,
        typer.Argument(
            help="File that `xunwen index` reads, also compressed, or one with a text on each line"
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(help="Folder of the shards; a run that was stopped resumes there")
    ],
    encoder: EncoderOption = ENCODER,
    precision: PrecisionOption = "auto",
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Type of the stored vectors")
    ] = "float32",
    shard_records: Annotated[int, typer.Option(min=1, help="Number of documents of one shard")] = (
        SHARD_RECORDS
    ),
    format: FormatOption = None,  # noqa: A002 - as the API names it
    mapping: MappingOption = None,
    charset: CharsetOption = None,
    portion: Annotated[
        str,
        typer.Option(
            help="Part of the shards to make: 2/4 is every fourth shard from the second on, for"
            " one of four machines"
        ),
    ] = "1/1",
    processes: Annotated[
        int, typer.Option(min=1, help="Number of processes that share the shards and the cores")
    ] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Number of cores to use; 0 takes all")] = 0,
) -> None:
    """Encode millions of documents into sharded .npy files; a run that was killed resumes."""
    began: float | None = None
    before = 0

    def report(progress: Progress) -> None:
        nonlocal began, before
        # The first shard of a run also warms the model up, so the rate counts from its end.
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
        own = Portion.parse(portion)
        if processes > 1:
            given: dict[str, object] = {
                "encoder": encoder,
                "precision": precision,
                "dtype": dtype,
                "shard-records": shard_records,
                "format": format,
                "mapping": mapping,
                "charset": charset,
                "threads": max(1, (threads or len(os.sched_getaffinity(0))) // processes),
            }
            _side_by_side([str(source), str(folder)], given, processes, own)
        # This also counts shards that other processes made.
        file = document_file(source, format, mapping, charset)
        model = open_encoder(encoder, PredictorOptions(precision=precision, threads=threads))
        done = extract_shards(
            file,
            folder,
            model,
            dtype=dtype,
            shard_records=shard_records,
            portion=own,
            report=report,
        )
    typer.echo(f"{done.documents:,} documents in {folder}, {done.rejected:,} lines rejected")


def _side_by_side(words: list[str], given: dict[str, object], processes: int, own: Portion) -> None:
    """Runs this command once for each process, each with its part of the shards. They end with this
    one."""
    words += [f"--{name}={value}" for name, value in given.items() if value is not None]
    started = []
    for at in range(processes):
        portion = f"--portion={own.number + own.of * at}/{own.of * processes}"
        command = [*leash(), sys.executable, "-m", "training.cli.extract", *words, portion]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))  # noqa: S603
    codes = [process.wait() for process in started]
    if any(codes):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()

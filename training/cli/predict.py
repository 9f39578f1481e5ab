"""The commands `xunwen predict`."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from training.cli.options import ENCODER, EncoderOption, PrecisionOption
from training.data.readers import text_of_line
from training.extract.matrix import write_matrix
from training.extract.prediction import relevances, similarities, text_vectors
from training.failures import plain_errors
from training.targets import check_target

T = TypeVar("T")

app = typer.Typer(help="Compare texts, or encode them.", no_args_is_help=True)

_BLOCK = 1024
"""Number of pairs or texts that are computed together; output is written after each such block."""


@app.command()
def pairs(
    source: Annotated[
        Path, typer.Argument(help="File with lines of query TAB title; - reads standard input")
    ],
    encoder: EncoderOption = ENCODER,
    ranker: Annotated[
        Path | None,
        typer.Option(
            help="Model directory of a ranker, whose relevance (0 to 1) is printed instead of the"
            " cosine"
        ),
    ] = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Print each pair with its similarity."""
    options = PredictorOptions(precision=precision)
    bad: list[int] = []
    with plain_errors():
        scorer = open_ranker(ranker, options) if ranker else None
        model = None if scorer else open_encoder(encoder, options)
        for block in _blocks(_pairs(source, bad)):
            if scorer is not None:
                scores = relevances(scorer, block)
            else:
                assert model is not None  # noqa: S101 - one of the two is open
                scores = similarities(model, block)
            for (query, title), score in zip(block, scores, strict=True):
                typer.echo(f"{query}\t{title}\t{score:.4f}")
    if bad:
        shown = ", ".join(map(str, bad[:10]))
        typer.echo(f"{len(bad):,} lines have no two columns: {shown}", err=True)
        raise typer.Exit(1)


@app.command()
def vectors(
    source: Annotated[
        Path, typer.Argument(help="File with a text on each line; - reads standard input")
    ],
    target: Annotated[Path, typer.Argument(help="File to write, .npy, float32 [lines, n]")],
    encoder: EncoderOption = ENCODER,
    queries: Annotated[
        bool, typer.Option(help="Encode the texts as queries, not as documents")
    ] = False,
    precision: PrecisionOption = "auto",
) -> None:
    """Write the vector of each line, including blank ones."""
    with plain_errors():
        check_target(target)
        model = open_encoder(encoder, PredictorOptions(precision=precision))
        blocks = _blocks(_lines(source))
        written = write_matrix(
            target,
            (text_vectors(model, block, queries=queries) for block in blocks),
            model.dimension,
        )
    typer.echo(f"{written:,} vectors of dimension {model.dimension} in {target}")


def _lines(source: Path) -> Iterator[str]:
    opened = nullcontext(sys.stdin.buffer) if str(source) == "-" else source.open("rb")
    with opened as lines:
        for number, raw in enumerate(lines):
            yield text_of_line(raw, first=number == 0)


def _pairs(source: Path, bad: list[int]) -> Iterator[tuple[str, str]]:
    """Yields the pairs of a file; the numbers of lines that hold no pair are added to `bad`."""
    for number, line in enumerate(_lines(source), 1):
        columns = line.split("\t")
        if len(columns) == 2 and all(column.strip() for column in columns):
            yield columns[0], columns[1]
        else:
            bad.append(number)


def _blocks(items: Iterator[T]) -> Iterator[list[T]]:
    while block := [*islice(items, _BLOCK)]:
        yield block

"""`xunwen mine`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from training import runtime
from training.data.pairs import read_pairs
from training.data.readers import read_texts
from training.failures import DataInvalid, plain_errors
from training.mining import MiningOptions, mine, write_mined

app = typer.Typer(add_completion=False)

_DEFAULT = MiningOptions()


@app.command(name="mine")
def main(
    pairs: Annotated[Path, typer.Argument(help="query TAB title lines")],
    output: Annotated[Path, typer.Argument(help="Gets query TAB title TAB negative... lines")],
    encoder: Annotated[
        Path, typer.Option(help="Model directory or checkpoint of the recall model")
    ] = Path("models/literature-encoder"),
    corpus: Annotated[
        Path | None,
        typer.Option(help="Lines, or jsonl with title, text or abstract; without: the titles"),
    ] = None,
    negatives: Annotated[int, typer.Option(min=1, help="Per query")] = _DEFAULT.count,
    first: Annotated[int, typer.Option(min=1, help="Best rank to draw from")] = _DEFAULT.first,
    last: Annotated[int, typer.Option(min=1, help="Last rank to draw from")] = _DEFAULT.last,
    ceiling: Annotated[
        float,
        typer.Option(min=0, max=1, help="Above this share of the positive's score: an answer too"),
    ] = _DEFAULT.ceiling,
    seed: int = _DEFAULT.seed,
) -> None:
    """Find hard negatives: what the recall model ranks high although it is not the answer.

    The output trains `train rank` (as `lists` or `general_lists`, or with one negative as
    `triples`) and `train inbatch` (as `pairs`, with `negatives` set).
    """
    runtime.prepare()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    with plain_errors():
        from training.evaluation.models import encoder_at

        if last < first + negatives - 1:
            raise DataInvalid(
                f"ranks {first} to {last} do not hold {negatives} negatives: raise --last"
            )
        positives = read_pairs(pairs, pairs.stem)
        texts = [pair.title for pair in positives]
        if corpus is not None:
            texts += read_texts(corpus, ("title", "text", "abstract"))
        texts = [*dict.fromkeys(texts)]
        with encoder_at(encoder) as model:
            queries = model.encode_queries([pair.query for pair in positives])
            documents = model.encode([model.manifest.document_text(text, "") for text in texts])
        options = MiningOptions(negatives, first, last, ceiling, seed)
        mined = mine(positives, queries, texts, documents, options)
        write_mined(output, mined)
    typer.echo(f"{len(mined):,} of {len(positives):,} pairs have negatives, in {output}")


if __name__ == "__main__":
    app()

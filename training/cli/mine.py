"""The command `xunwen mine`."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer

from services.common.engine import Encoder
from services.common.engine.predictor import FloatArray
from training.data.mining import MiningOptions, mine_ids, mine_texts, write_lists
from training.data.pairs import Pair, normal, read_pairs, shows_paper, texts_of, title_pairs
from training.data.readers import columns, is_jsonl, read_lines
from training.data.texts import own_texts, read_documents, read_rows
from training.failures import DataInvalid, plain_errors
from training.run import runtime
from training.targets import check_target

T = TypeVar("T")

log = logging.getLogger(__name__)

app = typer.Typer(add_completion=False)

_DEFAULT = MiningOptions()


@app.command(name="mine")
def main(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="Lines of query TAB title, or jsonl of titles, whose key terms become queries;"
            " with --ids, lines of [kind TAB] query TAB id"
        ),
    ],
    output: Annotated[
        Path, typer.Argument(help="File to write, with lines of query TAB answer TAB negative...")
    ],
    encoder: Annotated[
        Path, typer.Option(help="Model directory or checkpoint of the encoder")
    ] = Path("models/literature-encoder"),
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="Documents to search: plain lines, or jsonl with title, text or abstract;"
            " default: the titles"
        ),
    ] = None,
    ids: Annotated[
        bool, typer.Option("--ids", help="Write answers and negatives as ids of --corpus documents")
    ] = False,
    exclude: Annotated[list[Path] | None, typer.Option(help="jsonl of papers to leave out")] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of queries; with --ids, only their own documents are searched"
        ),
    ] = None,
    negatives: Annotated[
        int, typer.Option(min=1, help="Most negatives per query")
    ] = _DEFAULT.count,
    least: Annotated[
        int | None,
        typer.Option(
            min=1, help="Least negatives per query, others are left out; default: --negatives"
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=1, help="Best rank to draw from")] = _DEFAULT.first,
    last: Annotated[int, typer.Option(min=1, help="Last rank to draw from")] = _DEFAULT.last,
    ceiling: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of the answer's cosine above which a document counts as an answer too",
        ),
    ] = _DEFAULT.ceiling,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the negatives and, without --ids, of the sample")
    ] = _DEFAULT.seed,
) -> None:
    """Find hard negatives: documents that the encoder ranks high although they are not the answer.

    The output trains `train rank` (as `lists`, with --ids beside the same files as `corpus`) and
    `train inbatch` (as `pairs`, with `negatives` set).
    """
    runtime.prepare()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    with plain_errors():
        from training.evaluation.models import encoder_at

        check_target(output)
        least = least or negatives
        if last < first + least - 1:
            raise DataInvalid(
                f"ranks {first} to {last} do not hold {least} negatives: raise --last"
            )
        options = MiningOptions(negatives, least, first, last, ceiling, seed)
        if ids:
            known, documents = _queries_of_documents(pairs, corpus or [], exclude or [])
            queries = _drawn(known, sample, _DEFAULT.seed)
            if sample is not None:
                documents = {key: documents[key] for _, key in queries}
            with encoder_at(encoder) as model:
                lists = mine_ids(
                    queries,
                    model.encode_queries([query for query, _ in queries]),
                    [*documents],
                    _document_vectors(model, [*documents.values()]),
                    options,
                    known,
                )
            asked = len(queries)
        else:
            held_out = texts_of(exclude or [])
            answered = _pairs(pairs, held_out, seed)
            positives = _drawn(answered, sample, seed)
            texts = [pair.title for pair in answered]
            for path in corpus or []:
                texts += own_texts(path, ("title", "text", "abstract"), held_out)
            texts = [*dict.fromkeys(texts)]
            with encoder_at(encoder) as model:
                lists = mine_texts(
                    positives,
                    model.encode_queries([pair.query for pair in positives]),
                    texts,
                    _document_vectors(model, texts),
                    options,
                    answered,
                )
            asked = len(positives)
        written = write_lists(output, lists)
    typer.echo(f"{written:,} of {asked:,} pairs have negatives, in {output}")


def _pairs(path: Path, held_out: frozenset[str], seed: int) -> list[Pair]:
    """The pairs of a file, or of the titles in it."""
    if is_jsonl(path):
        rng = np.random.default_rng(seed)
        pairs = title_pairs(read_rows([path], "title", held_out), rng)
    else:
        read = read_pairs(path, path.stem)
        pairs = [pair for pair in read if not shows_paper(pair, held_out)]
        _say_left_out(path, len(read) - len(pairs), "they show a paper of --exclude")
    if not pairs:
        raise DataInvalid(f"no line of {path} makes a pair")
    return pairs


def _queries_of_documents(
    path: Path, corpus: list[Path], exclude: list[Path]
) -> tuple[list[tuple[str, str]], Mapping[str, str]]:
    """(query, document id) of each line, and the documents by id."""
    if not corpus:
        raise DataInvalid("--ids needs --corpus: the jsonl files whose ids the lines name")
    held_out = texts_of(exclude)
    documents = read_documents(corpus, held_out)
    rows, _ = read_lines(path, columns(2, 3))
    queries = [
        (row[-2], row[-1])
        for row in rows
        if row[-1] in documents and normal(row[-2]) not in held_out
    ]
    if not queries:
        raise DataInvalid(f"no line of {path} ends in the id of a document of --corpus")
    _say_left_out(
        path,
        len(rows) - len(queries),
        "their id is of no document of --corpus, or they show a paper of --exclude",
    )
    return queries, documents


def _say_left_out(path: Path, count: int, reason: str) -> None:
    if count:
        log.warning("%s: %d lines were left out; %s", path.name, count, reason)


def _drawn(items: Sequence[T], sample: int | None, seed: int) -> Sequence[T]:
    """The sample of the items that is asked; all without one."""
    if sample is None:
        return items
    return [items[at] for at in np.random.default_rng(seed).permutation(len(items))[:sample]]


def _document_vectors(model: Encoder, texts: list[str]) -> FloatArray:
    """Vectors of documents, whose title ends at the first line break."""
    parts = [text.partition("\n") for text in texts]
    return model.encode([model.manifest.document_text(title, rest) for title, _, rest in parts])


if __name__ == "__main__":
    app()

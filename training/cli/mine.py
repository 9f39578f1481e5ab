"""The command `xunwen mine`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from services.common.engine import Encoder
from services.common.engine.predictor import FloatArray
from training.data.mining import MiningOptions, mine_ids, mine_texts, write_lists
from training.data.pairs import Pair, normal, read_pairs, texts_of, title_pairs
from training.data.readers import columns, read_lines, read_texts
from training.data.texts import read_documents, read_rows
from training.failures import DataInvalid, plain_errors
from training.run import runtime

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
    seed: int = _DEFAULT.seed,
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

        least = least or negatives
        if last < first + least - 1:
            raise DataInvalid(
                f"ranks {first} to {last} do not hold {least} negatives: raise --last"
            )
        options = MiningOptions(negatives, least, first, last, ceiling, seed)
        if ids:
            queries, documents = _queries_of_documents(pairs, corpus or [], exclude or [], sample)
            with encoder_at(encoder) as model:
                lists = mine_ids(
                    queries,
                    model.encode_queries([query for query, _ in queries]),
                    [*documents],
                    _document_vectors(model, [*documents.values()]),
                    options,
                )
            asked = len(queries)
        else:
            positives, texts = _pairs(pairs, texts_of(exclude or []), sample, seed)
            for path in corpus or []:
                texts += read_texts(path, ("title", "text", "abstract"))
            texts = [*dict.fromkeys(texts)]
            with encoder_at(encoder) as model:
                lists = mine_texts(
                    positives,
                    model.encode_queries([pair.query for pair in positives]),
                    texts,
                    _document_vectors(model, texts),
                    options,
                )
            asked = len(positives)
        written = write_lists(output, lists)
    typer.echo(f"{written:,} of {asked:,} pairs have negatives, in {output}")


def _pairs(
    path: Path, held_out: frozenset[str], sample: int | None, seed: int
) -> tuple[list[Pair], list[str]]:
    """The pairs of a file, or of the titles in it, and all titles."""
    rng = np.random.default_rng(seed)
    if ".jsonl" in path.suffixes:
        positives = title_pairs(read_rows([path], "title", held_out), rng)
    else:
        positives = [
            pair for pair in read_pairs(path, path.stem) if normal(pair.title) not in held_out
        ]
    if not positives:
        raise DataInvalid(f"no line of {path} makes a pair")
    texts = [pair.title for pair in positives]
    if sample is not None:
        positives = [positives[at] for at in rng.permutation(len(positives))[:sample]]
    return positives, texts


def _queries_of_documents(
    path: Path, corpus: list[Path], exclude: list[Path], sample: int | None
) -> tuple[list[tuple[str, str]], Mapping[str, str]]:
    """(query, document id) of each line, and the documents to search by id."""
    if not corpus:
        raise DataInvalid("--ids needs --corpus: the jsonl files whose ids the lines name")
    documents = read_documents(corpus, texts_of(exclude))
    rows, _ = read_lines(path, columns(2, 3))
    queries = [(row[-2], row[-1]) for row in rows if row[-1] in documents]
    if not queries:
        raise DataInvalid(f"no line of {path} ends in the id of a document of --corpus")
    if sample is not None:
        drawn = np.random.default_rng(_DEFAULT.seed).permutation(len(queries))[:sample]
        queries = [queries[at] for at in drawn]
        documents = {key: documents[key] for _, key in queries}
    return queries, documents


def _document_vectors(model: Encoder, texts: list[str]) -> FloatArray:
    """Vectors of documents, whose title ends at the first line break."""
    parts = [text.partition("\n") for text in texts]
    return model.encode([model.manifest.document_text(title, rest) for title, _, rest in parts])


if __name__ == "__main__":
    app()

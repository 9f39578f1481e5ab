"""The command line of the tuner."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException
from rich.table import Table

from services.common.collection import Field
from services.common.engine import open_encoder
from services.common.errors import SearchError
from xunwen.cli.context import console
from xunwen.cli.tuning.measure import (
    Reading,
    all_vectors,
    exact_top,
    knob_of,
    readings,
    recommended,
)
from xunwen.client import XunwenError

app = typer.Typer(add_completion=False)

_MAX_ROWS = 500_000
"""Exact search reads every vector into memory: 750 MB at 384 dimensions."""


@app.command()
def tune(
    collection: Annotated[str, typer.Argument(help="Its name, as in a search")] = "literature",
    milvus: Annotated[
        str, typer.Option(envvar="XUNWEN_RECALL_MILVUS_URI", help="Address of Milvus")
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="XUNWEN_RECALL_MILVUS_TOKEN", help="Where Milvus asks for one")
    ] = "",
    model_dir: Annotated[
        Path | None, typer.Option(help="The encoder that filled it; default: the installed one")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help="A query a line; default: titles of the collection")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Queries to ask")] = 100,
    k: Annotated[int, typer.Option(min=1, max=1000, help="Of recall@k")] = 100,
    target: Annotated[float, typer.Option(min=0, max=1, help="Recall to reach")] = 0.98,
) -> None:
    """Measure recall@k against exact search, and latency, and recommend a setting."""
    from xunwen.embedded.settings import EmbeddedSettings, last_settings

    installed = last_settings(EmbeddedSettings())
    address = milvus or f"http://127.0.0.1:{installed.milvus_port}"
    try:
        client = MilvusClient(address, token=token, timeout=10)
        try:
            physical = client.describe_alias(collection)["collection_name"]
        except MilvusException:
            raise XunwenError(f"There is no collection {collection} at {address}.") from None
        kind = str(client.describe_index(physical, Field.VECTOR)["index_type"])
        rows = int(client.get_collection_stats(physical)["row_count"])
        knob = knob_of(kind)
        if knob is None:
            console.print(
                f"{collection}: {rows:,} vectors, index {kind}. It searches exactly: recall is 1,"
                " there is nothing to tune."
            )
            return
        if rows > _MAX_ROWS:
            raise XunwenError(
                f"{collection} holds {rows:,} vectors; the exact answers are computed in memory"
                f" for {_MAX_ROWS:,} at the most. Tune on a collection with a sample of them."
            )
        ids, titles, vectors = all_vectors(client, physical)
        texts = _texts(queries, titles, sample)
        encoder = open_encoder(model_dir or installed.encoder)
        asked = encoder.encode_queries(texts)
        if not len(ids) or asked.shape[1] != vectors.shape[1]:
            raise XunwenError(f"{collection} is empty, or another encoder filled it.")
        depth = min(k, len(ids))
        truth = exact_top(ids, vectors, asked, depth)
        found = list(readings(client, physical, knob, asked, truth, depth))
    except MilvusException:
        raise XunwenError(f"Milvus does not answer at {address}.") from None
    except SearchError as error:
        raise XunwenError(error.detail) from error
    if not found:
        raise XunwenError(f"No setting of {knob.parameter} can be tried with k {k}; lower it.")
    best = recommended(found, target)
    console.print(f"{collection}: {rows:,} vectors, index {kind}, {len(texts)} queries")
    console.print(_table(knob.parameter, depth, found, best))
    word = "reaches" if best.recall >= target else "does not reach"
    console.print(f"{word} {target:.2f}: {knob.variable}={best.value}", markup=False)


def _texts(file: Path | None, titles: list[str], sample: int) -> list[str]:
    """Queries, at most `sample`; of titles, a random choice that is the same each time."""
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise XunwenError(f"{file} cannot be read as text.") from error
        texts = [line.strip() for line in lines if line.strip()][:sample]
        if not texts:
            raise XunwenError(f"{file} holds no query.")
        return texts
    filled = sorted({title for title in titles if title})
    if not filled:
        raise XunwenError("The documents have no titles to ask for; give --queries a file.")
    chosen = np.random.default_rng(0).permutation(len(filled))[:sample]
    return [filled[at] for at in chosen]


def _table(parameter: str, k: int, found: list[Reading], best: Reading) -> Table:
    table = Table(parameter, f"recall@{k}", "p50 ms", "p99 ms", "", box=None)
    for reading in found:
        table.add_row(
            str(reading.value),
            f"{reading.recall:.4f}",
            f"{reading.p50_ms:.1f}",
            f"{reading.p99_ms:.1f}",
            "recommended" if reading is best else "",
        )
    return table

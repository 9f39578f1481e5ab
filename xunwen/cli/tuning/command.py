"""The command line of the tuner."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException
from rich.table import Table

from services.common.collection import Field
from services.common.engine import open_encoder
from services.common.errors import IndexUnavailable, SearchError
from services.common.milvus import MilvusAddress, milvus_connection
from services.common.settings import read_settings
from services.recall.settings import RecallSettings
from xunwen.cli.context import console, read_text, refuse_other_gateway
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
"""Most rows of a collection that can be tuned, since exact search reads every vector into memory,
750 MB of them at 384 dimensions."""


@app.command()
def tune(
    ctx: typer.Context,
    collection: Annotated[str, typer.Argument(help="Name of the collection")] = "literature",
    milvus: Annotated[
        str, typer.Option(envvar="XUNWEN_RECALL_MILVUS_URI", help="Address of Milvus")
    ] = "",
    token: Annotated[
        str,
        typer.Option(
            envvar="XUNWEN_RECALL_MILVUS_TOKEN", help="Token of Milvus, if it asks for one"
        ),
    ] = "",
    model_dir: Annotated[
        Path | None,
        typer.Option(
            help="Model directory of the encoder that filled the collection; default: the"
            " installed one"
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help="File with a query on each line; default: titles of the collection"),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Number of queries")] = 100,
    k: Annotated[int, typer.Option(min=1, max=1000, help="Of recall@k")] = 100,
    target: Annotated[float, typer.Option(min=0, max=1, help="Recall to reach, 0 to 1")] = 0.98,
) -> None:
    """Measure recall@k against exact search, and latency, and recommend a setting."""
    from xunwen.embedded.settings import EmbeddedSettings, last_settings

    # pymilvus logs a stack trace for each error, also for those that are expected.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    if not milvus:
        refuse_other_gateway(
            ctx, "tune", "It measures on Milvus: name the one of that gateway with --milvus."
        )
    installed = last_settings(EmbeddedSettings())
    address = milvus or f"http://127.0.0.1:{installed.milvus_port}"
    # The database and certificates are those of recall's environment.
    server = replace(read_settings(RecallSettings, "tune").milvus(), uri=address, token=token)
    try:
        physical = asyncio.run(_resolved(collection, server))
        if physical is None:
            raise XunwenError(f"There is no collection {collection} at {address}.")
        client = MilvusClient(**server.options(), timeout=10)
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
    except (MilvusException, IndexUnavailable):
        raise XunwenError(f"Milvus does not answer at {address}.") from None
    except SearchError as error:
        raise XunwenError(error.detail) from error
    if not found:
        raise XunwenError(f"No setting of {knob.parameter} can be tried with k {k}; lower it.")
    best = recommended(found, target)
    console.print(f"{collection}: {rows:,} vectors, index {kind}, {len(texts)} queries")
    console.print(_table(knob.parameter, depth, found, best))
    word = "reaches" if best.recall >= target else "does not reach"
    console.print(f"{word} {target:.2f}: {knob.variable}={best.value}")


async def _resolved(collection: str, address: MilvusAddress) -> str | None:
    """The physical collection behind a name; None if there is none."""
    async with milvus_connection(address) as connection:
        names = await connection.names()
        return await names.resolve(collection)


def _texts(file: Path | None, titles: list[str], sample: int) -> list[str]:
    """At most `sample` queries of a file, or titles of the collection.

    The choice of titles is random and the same each time.
    """
    if file is not None:
        lines = read_text(file).splitlines()
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

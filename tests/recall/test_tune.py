"""`xunwen tune` on real collections: one with a graph, one that is exact."""

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.common.collection import PhysicalName
from services.common.engine import Encoder
from services.indexer.index.milvus.choice import IndexChoice
from services.indexer.index.milvus.schema import collection_indexes, collection_schema
from tests.milvus import plain_client
from tests.milvus_standalone import available, milvus_standalone
from tests.servers import Server
from xunwen.cli.tuning import app
from xunwen.cli.tuning.measure import Reading, exact_top, knob_of, recommended
from xunwen.client import XunwenError


def run(milvus: Server, model: Path, *words: str) -> str:
    done = CliRunner().invoke(
        app, [*words, "--milvus", milvus.url, "--model-dir", str(model)], catch_exceptions=True
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Milvus 2.3.5: the embedded engine has no graphs."""
    with milvus_standalone(tmp_path_factory.mktemp("standalone") / "data") as server:
        yield server


@pytest.mark.skipif(not available(), reason="Milvus 2.3.5 has a wheel for x86-64 alone")
def test_a_graph_is_measured_and_a_setting_recommended(
    standalone: Server, encoder: Encoder, encoder_dir: Path
) -> None:
    milvus = standalone
    name = PhysicalName("tuned", encoder.manifest.fingerprint, "1", time.time_ns())
    client = plain_client(milvus.url)
    client.create_collection(
        str(name),
        schema=collection_schema(encoder.dimension, lexical=False),
        index_params=collection_indexes(*IndexChoice().of(0, embedded=False), lexical=False),
    )
    titles = [f"第{number}篇论文关于{chr(0x4E00 + number)}" for number in range(300)]
    client.upsert(
        str(name),
        [
            {"id": f"t{at}", "title": title, "text": "", "fields": {}, "facets": {},
             "vector": vector.tolist(), "version": 1}
            for at, (title, vector) in enumerate(zip(titles, encoder.encode(titles), strict=True))
        ],
    )  # fmt: skip
    client.flush(str(name))
    client.load_collection(str(name))
    client.create_alias(str(name), "tuned")
    client.close()
    output = run(milvus, encoder_dir, "tuned", "--k", "10", "--sample", "20", "--target", "0.9")
    assert "index HNSW" in output
    assert "recommended" in output
    assert "XUNWEN_RECALL_EF=" in output


def test_an_exact_index_has_nothing_to_tune(
    milvus: Server, literature: PhysicalName, encoder_dir: Path
) -> None:
    assert "nothing to tune" in run(milvus, encoder_dir, "literature")


def test_what_is_not_there_is_named(milvus: Server, encoder_dir: Path) -> None:
    with pytest.raises(XunwenError, match="no collection nowhere"):
        run(milvus, encoder_dir, "nowhere")


def test_the_cheapest_that_is_good_enough_is_recommended() -> None:
    found = [Reading(16, 0.9, 1, 2), Reading(32, 0.99, 2, 3), Reading(64, 1.0, 3, 4)]
    assert recommended(found, 0.98).value == 32
    assert recommended(found[:1], 0.98).value == 16
    assert knob_of("FLAT") is None
    knob = knob_of("IVF_FLAT")
    assert knob is not None
    assert knob.variable == "XUNWEN_RECALL_NPROBE"


def test_exact_answers_need_no_more_memory_for_more_queries() -> None:
    """The scores of all queries would take gigabytes in a large collection."""
    numbers = np.random.default_rng(0)
    vectors = numbers.standard_normal((20_000, 8), dtype=np.float32)
    queries = numbers.standard_normal((300, 8), dtype=np.float32)
    ids = [f"d{number}" for number in range(len(vectors))]
    tracemalloc.start()
    found = exact_top(ids, vectors, queries, 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    for query, top in zip(queries, found, strict=True):
        assert top == {ids[at] for at in np.argsort(vectors @ query)[-10:]}
    assert exact_top(ids[:3], vectors[:3], queries[:1], 3) == [frozenset(ids[:3])]

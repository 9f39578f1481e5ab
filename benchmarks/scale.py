"""Measures latency and recall@10 of the vector index as the collection grows."""

import time
from collections.abc import Sequence

import numpy as np
from pymilvus import DataType, MilvusClient

from benchmarks import report

DIMENSION = 384
QUERIES = 50
_BLOCK = 2000
_NAME = "benchmark_scale"
_CLUSTERS = 500


def main(uri: str, sizes: Sequence[int], ef: int = 128) -> None:
    """Measures collections of clustered random unit vectors; evenly spread ones would be harder to
    search than vectors of texts."""
    figures = {}
    for size in sizes:
        figures[str(size)] = _measure(uri, size, ef)
    smallest = figures[str(sizes[0])]["p50_ms"]
    rows = [
        [f"{int(size):,}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}",
         f"{row['recall_at_10']:.3f}", f"{row['p50_ms'] / smallest:.2f}x"]
        for size, row in figures.items()
    ]  # fmt: skip
    columns = ["vectors", "p50 ms", "p99 ms", "recall@10", "p50 against the smallest"]
    report.save("scale", figures, report.table(columns, rows))


def _measure(uri: str, size: int, ef: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((_CLUSTERS, DIMENSION)).astype(np.float32)
    client = MilvusClient(uri)
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="IP",
                    params={"M": 16, "efConstruction": 200})  # fmt: skip
    if client.has_collection(_NAME):
        client.drop_collection(_NAME)
    client.create_collection(_NAME, schema=schema, index_params=index)
    queries = _vectors(rng, centres, QUERIES)
    best: list[list[tuple[float, int]]] = [[] for _ in range(QUERIES)]
    try:
        for start in range(0, size, _BLOCK):
            block = _vectors(rng, centres, min(_BLOCK, size - start))
            client.insert(_NAME, [{"id": start + at, "vector": vector.tolist()}
                                  for at, vector in enumerate(block)])  # fmt: skip
            scores = queries @ block.T
            for row, line in enumerate(scores):
                found = [(float(line[at]), start + int(at)) for at in np.argsort(-line)[:10]]
                best[row] = sorted([*best[row], *found], reverse=True)[:10]
        client.flush(_NAME)
        _await_index(client, size)
        client.load_collection(_NAME)
        took, hits = [], 0
        for row, query in enumerate(queries):
            started = time.perf_counter()
            answer = client.search(
                _NAME, [query.tolist()], limit=10, consistency_level="Bounded",
                search_params={"metric_type": "IP", "params": {"ef": ef}},
            )[0]  # fmt: skip
            took.append(time.perf_counter() - started)
            hits += len({hit["id"] for hit in answer} & {id_ for _, id_ in best[row]})
    finally:
        client.drop_collection(_NAME)
        client.close()
    return {
        "p50_ms": float(np.quantile(took, 0.5) * 1000),
        "p99_ms": float(np.quantile(took, 0.99) * 1000),
        "recall_at_10": hits / (10 * QUERIES),
    }


def _vectors(rng: np.random.Generator, centres: np.ndarray, count: int) -> np.ndarray:
    noise = rng.standard_normal((count, DIMENSION)).astype(np.float32)
    vectors = centres[rng.integers(0, len(centres), count)] + noise
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _await_index(client: MilvusClient, size: int) -> None:
    """Waits until the index covers all rows, since before that an interim index answers, which
    misses most of them."""
    give_up = time.monotonic() + 3600
    while time.monotonic() < give_up:
        if client.describe_index(_NAME, "vector").get("pending_index_rows", 0) == 0:
            return
        time.sleep(1)
    raise TimeoutError(f"the index of {size:,} vectors was not built within an hour")

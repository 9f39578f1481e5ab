"""Inner product, cosine and Euclidean distance order vectors of unit length alike on every engine,
so that a collection has no metric of its own (docs/adr/0024)."""

import time

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

from services.indexer.intake.mapping import Rejected, checked_vector
from tests.milvus import plain_client
from tests.servers import Server

METRICS = ("IP", "COSINE", "L2")
VECTORS, DIMENSION, QUERIES, FOUND = 400, 64, 20, 50


def test_a_vector_that_comes_in_has_unit_length() -> None:
    chance = np.random.default_rng(1)
    for length in (0.985, 1.0, 1.015):
        given = chance.standard_normal(DIMENSION)
        kept = checked_vector((given / np.linalg.norm(given) * length).tolist(), DIMENSION)
        assert float(np.linalg.norm(kept)) == pytest.approx(1, abs=1e-6)
    for length in (0.5, 2.0):
        with pytest.raises(Rejected, match="normalise vectors to length 1"):
            checked_vector([length, *[0.0] * (DIMENSION - 1)], DIMENSION)


def test_the_metrics_order_alike(engine: Server) -> None:
    chance = np.random.default_rng(2)
    vectors = chance.standard_normal((VECTORS + QUERIES, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    client = plain_client(engine.url)
    orders, scores = {}, {}
    for metric in METRICS:
        held = f"metric_{metric.lower()}_{time.time_ns()}"
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
        indexes = MilvusClient.prepare_index_params()
        indexes.add_index("vector", index_type="FLAT", metric_type=metric, params={})
        client.create_collection(held, schema=schema, index_params=indexes)
        client.insert(held, [{"id": at, "vector": vectors[at].tolist()} for at in range(VECTORS)])
        client.load_collection(held)
        answers = client.search(
            held,
            data=vectors[VECTORS:].tolist(),
            anns_field="vector",
            limit=FOUND,
            search_params={"metric_type": metric, "params": {}},
            consistency_level="Strong",
        )
        orders[metric] = [[hit["id"] for hit in hits] for hits in answers]
        scores[metric] = np.array([[hit["distance"] for hit in hits] for hits in answers])
        client.drop_collection(held)
    client.close()
    assert orders["IP"] == orders["COSINE"] == orders["L2"]
    np.testing.assert_allclose(scores["COSINE"], scores["IP"], atol=1e-5)
    np.testing.assert_allclose(scores["L2"], 2 - 2 * scores["IP"], atol=1e-5)

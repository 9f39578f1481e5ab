"""`xunwen load --bulk-import`: the shards of an extraction become one import, from a directory that
Milvus reads; elsewhere it is refused."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from services.common.engine import PredictorOptions, open_encoder
from services.common.errors import InvalidRequest
from services.indexer.index.imports.bulk_import import BulkImport
from tests.engines.cluster import ClusterSystem
from tests.indexer.installation import jsonl, literature
from tests.milvus import on_connection
from tests.milvus_standalone import available
from tests.stack import XUNWEN
from training.data.documents import DocumentFile
from training.extract.extraction import extract
from xunwen import Client

DOCUMENTS = 90


@pytest.fixture
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Three shards of an extraction by the system's encoder."""
    system: ClusterSystem = request.getfixturevalue(request.param)
    source, folder = tmp_path / "papers.jsonl", tmp_path / "vectors"
    source.write_bytes(jsonl(literature(DOCUMENTS)))
    encoder = open_encoder(system.installation.model, PredictorOptions(threads=1))
    extract(DocumentFile(source), folder, encoder, dtype="float16", shard_records=30)
    return folder


def load(system: ClusterSystem, shards: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [XUNWEN, "load", str(shards), *words],
        env={**os.environ, "XUNWEN_URL": system.gateways[0]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not available(), reason="Milvus 2.3.5 is built for x86-64 only")
@pytest.mark.parametrize("shards", ["cluster"], indirect=True)
def test_shards_are_one_import(cluster: ClusterSystem, shards: Path) -> None:
    running = cluster.installation
    imported = load(cluster, shards, "--collection", "by_import", "--bulk-import")
    assert imported.returncode == 0, imported.stderr
    assert f"{DOCUMENTS} documents in by_import, 0 rejected" in imported.stdout
    upserted = load(cluster, shards, "--collection", "by_upserts")
    assert upserted.returncode == 0, upserted.stderr
    first, second = running.rows("by_import"), running.rows("by_upserts")
    assert [row.document for row in first] == [row.document for row in second]
    assert np.array_equal([row.vector for row in first], [row.vector for row in second])
    with Client(cluster.gateways[0]) as client:
        modes = [job.mode for job in client.jobs(collection="by_import")]
        assert modes == ["import"]
    assert [*(running.folder / "imports").rglob("*.parquet")] == []

    again = load(cluster, shards, "--collection", "by_import", "--bulk-import")
    assert again.returncode == 1
    assert f"has {DOCUMENTS} documents, and an import fills an empty one only" in again.stderr
    parted = load(cluster, shards, "-c", "x", "--bulk-import", "--first-shard", "1")
    assert parted.returncode == 2
    assert "as one job" in parted.stderr


@pytest.mark.parametrize("shards", ["local"], indirect=True)
def test_the_embedded_engine_is_refused(local: ClusterSystem, shards: Path) -> None:
    """For the setting that is missing; with it, for the engine."""
    refused = load(local, shards, "--collection", "embedded", "--bulk-import")
    assert refused.returncode == 1
    assert "set XUNWEN_INDEXER_IMPORT_URL" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert local.installation.physicals("embedded") == []
    with pytest.raises(InvalidRequest, match="the embedded engine has no bulk import"):
        on_connection(
            local.installation.milvus.url, lambda connection: BulkImport(connection).check()
        )

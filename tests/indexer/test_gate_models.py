"""The shipped models at the gate: an encoder with shuffled weights is refused, an equal one passes.

pytest -m soak -s tests/indexer/test_gate_models.py
"""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from services.common.model_dir import ModelManifest, file_of, load_manifest, write_manifest
from services.common.model_dir.pdiparams import FLOAT32, tensor_spans
from tests.indexer.installation import FINAL, PAPERS, Installation, Program, installation
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
ENCODER, RANKER = ROOT / "models" / "literature-encoder", ROOT / "models" / "literature-ranker"
QUERIES = ROOT / "data" / "natural_dev.tsv"
SECONDS = 1_800.0
"""Longest wait for a job; a busy machine encodes 1,000 papers in minutes."""

pytestmark = pytest.mark.soak


def shuffled(directory: Path) -> Path:
    """The shipped encoder, the values of whose matrices are in random order."""
    shutil.copytree(ENCODER, directory)
    manifest, chance = load_manifest(directory), np.random.default_rng(0)
    assert manifest.files.codes is not None
    codes = directory / manifest.files.codes.file
    numbers = np.fromfile(codes, dtype=np.int8)
    chance.shuffle(numbers)
    numbers.tofile(codes)
    weights = directory / manifest.files.weights.file
    content = bytearray(weights.read_bytes())
    for span in tensor_spans(bytes(content)):
        if span.data_type == FLOAT32 and len(span.dimensions) > 1:
            values = np.frombuffer(content[span.start : span.end], np.float32).copy()
            chance.shuffle(values)
            content[span.start : span.end] = values.tobytes()
    weights.write_bytes(content)
    changed = {"weights": file_of(weights), "codes": file_of(codes)}
    files = manifest.files.model_copy(update=changed)
    members = manifest.model_dump() | {"files": files.model_dump(), "fingerprint": ""}
    write_manifest(directory, ModelManifest.model_validate(members))
    return directory


def cores(*programs: Program) -> float:
    """Seconds of a core that programs have used."""
    times = [psutil.Process(program.pid).cpu_times() for program in programs]
    return float(sum(each.user + each.system for each in times))


def compared(indexer: Installation, rank: Program, job_id: str) -> dict[str, str]:
    """The ended job; prints what its comparison took, and the message."""
    began: tuple[float, float] | None = None
    give_up = time.monotonic() + SECONDS
    while (job := indexer.job(job_id))["state"] not in FINAL:
        assert time.monotonic() < give_up, job
        if began is None and "is compared with" in job["message"]:
            began = time.monotonic(), cores(indexer.recall, rank)
        time.sleep(0.2)
    assert began is not None
    print(
        f"{time.monotonic() - began[0]:.0f} s at a load of {os.getloadavg()[0]:.0f},"
        f" {cores(indexer.recall, rank) - began[1]:.0f} s of a core in recall and rank:"
        f" {job['message']}",
        flush=True,
    )
    return job


def test_the_shipped_models_refuse_a_shuffled_encoder_and_pass_an_equal_one(tmp_path: Path) -> None:
    ruined, port = shuffled(tmp_path / "shuffled"), free_port()
    further = json.dumps([str(ruined)])
    rank = Program(
        "services.rank",
        {
            **os.environ,
            "XUNWEN_RANK_PORT": str(port),
            "XUNWEN_RANK_MODEL_DIR": str(RANKER),
            "XUNWEN_RANK_THREADS": "1",
        },
        tmp_path / "rank.log",
    )
    rank.start()
    try:
        with installation(
            tmp_path,
            lease_seconds=30,
            XUNWEN_INDEXER_RANK_URL=f"http://127.0.0.1:{port}",
            XUNWEN_INDEXER_MODEL_DIR=str(ENCODER),
            XUNWEN_INDEXER_ENCODERS=further,
            XUNWEN_INDEXER_PRECISION="int8",
            XUNWEN_RECALL_MODEL_DIR=str(ENCODER),
            XUNWEN_RECALL_ENCODERS=further,
            XUNWEN_RECALL_PRECISION="int8",
        ) as indexer:
            papers = PAPERS.read_bytes()
            filling = indexer.submit("papers", papers, format="jsonl")
            indexer.succeeded(filling, SECONDS)
            golden = [
                {"query": query, "ids": [paper]}
                for _, query, paper in (
                    line.split("\t") for line in QUERIES.read_text("utf-8").splitlines()
                )
            ]
            put = indexer.client.put("/collections/papers/golden-queries", json={"queries": golden})
            assert put.status_code == 200, put.text

            encoder = indexer.encoder_of("papers")
            worse = indexer.rebuild("papers", encoder=load_manifest(ruined).fingerprint)
            refused = compared(indexer, rank, worse)
            assert refused["state"] == "failed"
            assert "answers worse than the one before" in refused["message"]
            assert "No more were asked" in refused["message"]
            assert "The hits were ranked." in refused["message"]
            assert indexer.encoder_of("papers") == encoder

            equal = compared(indexer, rank, indexer.rebuild("papers"))
            assert equal["state"] == "succeeded", equal["message"]
            assert f"300 of {len(golden)} golden queries" in equal["message"]
            assert "The hits were ranked." in equal["message"]
    finally:
        rank.stop()

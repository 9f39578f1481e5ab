"""A rebuild is asked real questions before it answers: a worse index is refused, in words."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.model_dir import load_manifest
from tests.indexer.installation import Installation, Program, installation, literature
from tests.models import tiny_encoder, tiny_ranker
from tests.servers import free_port
from tests.waiting import eventually

DOCUMENTS = 60


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that knows equal texts and nothing else."""
    return tiny_encoder(tmp_path_factory.mktemp("ruined") / "model", seed=1, ruined=True)


@pytest.fixture(scope="module")
def indexer(tmp_path_factory: pytest.TempPathFactory, other: Path) -> Iterator[Installation]:
    encoders = json.dumps([str(other)])
    with installation(
        tmp_path_factory.mktemp("gate"),
        XUNWEN_INDEXER_ENCODERS=encoders,
        XUNWEN_RECALL_ENCODERS=encoders,
    ) as running:
        yield running


@pytest.fixture
def rank(tmp_path: Path) -> Iterator[tuple[str, Program]]:
    """A rank service with its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    env = {
        **os.environ,
        "XUNWEN_RANK_PORT": str(port),
        "XUNWEN_RANK_MODEL_DIR": str(tiny_ranker(tmp_path / "ranker")),
        "XUNWEN_RANK_THREADS": "1",
    }
    program = Program("services.rank", env, tmp_path / "rank.log")
    program.start()
    try:
        eventually(lambda: _answers(url), 240)
        yield url, program
    finally:
        program.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def filled(indexer: Installation, name: str, **params: Any) -> list[dict[str, Any]]:
    lines = literature(DOCUMENTS, "g")
    indexer.succeeded(indexer.submit(name, lines, **params))
    return lines


def rebuilt(indexer: Installation, name: str, **params: str) -> dict[str, Any]:
    return indexer.ended(indexer.rebuild(name, **params))


def recalls(indexer: Installation) -> float:
    """The number of searches that recall has answered."""
    counts = re.findall(
        r'^xunwen_http_requests_total{.*route="/search".*} (.*)$',
        indexer.search.get("/metrics").text,
        re.MULTILINE,
    )
    return sum(map(float, counts))


def test_a_ruined_encoder_is_refused_and_a_better_one_passes(
    indexer: Installation, other: Path
) -> None:
    good, ruined = (load_manifest(path).fingerprint for path in (indexer.model, other))
    lines = filled(indexer, "gated")
    golden = [{"query": line["title"], "ids": [line["id"]]} for line in lines]
    put = indexer.client.put("/collections/gated/golden-queries", json={"queries": golden})
    assert put.status_code == 200, put.text
    assert indexer.client.get("/collections/gated/golden-queries").json()["queries"] == golden

    # Words find titles whatever the encoder is worth, so the set is asked in the hybrid mode that
    # people use; the ruined leg takes enough of it away to show.
    job = rebuilt(indexer, "gated", encoder=ruined)
    print(job["message"])
    assert job["state"] == "failed"
    assert "answers worse than the one before" in job["message"]
    assert f"{DOCUMENTS} golden queries" in job["message"]
    assert "force=true" in job["message"]
    assert indexer.encoder_of("gated") == good

    forced = rebuilt(indexer, "gated", encoder=ruined, force="true")
    assert forced["state"] == "succeeded"
    assert forced["message"].startswith("Switched by force")
    assert "gate overridden by force" in (indexer.folder / "indexer.log").read_text()
    assert indexer.encoder_of("gated") == ruined

    better = rebuilt(indexer, "gated", encoder=good)
    print(better["message"])
    assert better["state"] == "succeeded"
    assert indexer.encoder_of("gated") == good


def test_without_golden_queries_titles_are_a_weak_gate_and_it_says_so(
    indexer: Installation, other: Path
) -> None:
    filled(indexer, "weak")
    same = rebuilt(indexer, "weak")
    assert same["state"] == "succeeded"
    assert "weak gate" in same["message"]
    ruined = rebuilt(indexer, "weak", encoder=load_manifest(other).fingerprint)
    print(ruined["message"])
    assert ruined["state"] == "failed"
    assert "weak gate" in ruined["message"]


def test_documents_that_a_file_leaves_out_are_not_asked_for(indexer: Installation) -> None:
    filled(indexer, "replaced")
    golden = {"queries": [{"query": "文献", "ids": ["g0"]}]}
    indexer.client.put("/collections/replaced/golden-queries", json=golden).raise_for_status()
    job = indexer.succeeded(indexer.submit("replaced", literature(20, "h"), mode="rebuild"))
    assert "could not be compared" in job["message"]


def test_golden_queries_pass_the_whole_cascade_and_it_says_whether(
    rank: tuple[str, Program], tmp_path: Path
) -> None:
    url, program = rank
    with installation(
        tmp_path, XUNWEN_INDEXER_RANK_URL=url, XUNWEN_INDEXER_GOLDEN_QUERIES="10"
    ) as indexer:
        lines = filled(indexer, "ranked")
        golden = [{"query": line["title"], "ids": [line["id"]]} for line in lines[:20]]
        put = indexer.client.put("/collections/ranked/golden-queries", json={"queries": golden})
        assert put.status_code == 200, put.text
        job = rebuilt(indexer, "ranked")
        assert job["state"] == "succeeded", job["message"]
        assert "10 of 20 golden queries, drawn at random: MRR@10" in job["message"]
        assert job["message"].endswith("The hits were ranked.")

        # A comparison that waits for rank tells how far it is, and a cancelled job ends it.
        program.signal(signal.SIGSTOP)
        waiting = indexer.rebuild("ranked")
        eventually(lambda: "is compared with the one before" in indexer.job(waiting)["message"])
        assert "of at most 10 golden queries" in indexer.job(waiting)["message"]
        indexer.client.post(f"/index-jobs/{waiting}:cancel").raise_for_status()
        assert indexer.ended(waiting, 20)["state"] == "cancelled"

        program.kill()
        before = recalls(indexer)
        job = rebuilt(indexer, "ranked")
        assert job["state"] == "succeeded", job["message"]
        assert "The hits were not ranked, since the rank service did not answer." in job["message"]
        # Ten queries of two indexes, and one that tells whether the old encoder is installed.
        assert recalls(indexer) - before == 21

"""Several encoders in one recall: each collection is searched by its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from services.common.engine import (
    Encoder,
    PredictorOptions,
    open_described,
    open_encoder,
)
from services.common.errors import EncoderMismatch, ModelUnavailable
from services.common.model_dir.encoders import EncoderDirectories, EncoderDirectory
from services.common.request_context import Deadline
from services.indexer.work.encode import WorkerEncoders
from services.recall.app import create_app
from services.recall.encoders import Encoders
from services.recall.settings import RecallSettings
from tests.analyzers import ANALYZERS
from tests.asgi import client_of
from tests.models import tiny_encoder
from tests.recall.conftest import Filler
from tests.servers import Server

TITLE = "企业文化建设"
OPTIONS = PredictorOptions(threads=1, precision="fp32")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("others")
    return [tiny_encoder(folder / f"other{seed}", seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def several(encoder_dir: Path, others: list[Path]) -> EncoderDirectories:
    return EncoderDirectories.read(encoder_dir, others)


@pytest.fixture
async def client(
    milvus: Server, several: EncoderDirectories, encoder: Encoder
) -> AsyncIterator[httpx.AsyncClient]:
    settings = RecallSettings(milvus_uri=milvus.url, precision="fp32")
    async with client_of(create_app(settings, several, encoder, ANALYZERS)) as http:
        yield http


async def test_each_collection_is_searched_by_its_own_encoder(
    client: httpx.AsyncClient,
    milvus: Server,
    fill: Filler,
    encoder: Encoder,
    others: list[Path],
) -> None:
    models = {"one": encoder, "two": open_encoder(others[0], OPTIONS)}
    for name, model in models.items():
        fingerprint = model.manifest.fingerprint
        fill(milvus.url, name, fingerprint=fingerprint, encoder=model)
    for name, model in [*models.items()] * 2:
        body = {"query": TITLE, "collection": name, "mode": "dense"}
        answer = (await client.post("/search", json=body)).json()
        query, text = model.encode_queries([TITLE]), model.encode([TITLE])
        expected = float(query[0] @ text[0])
        assert answer["encoder"] == model.manifest.fingerprint
        assert answer["candidates"][0]["id"] == "d3"
        assert answer["candidates"][0]["dense"] == pytest.approx(expected, abs=1e-5)


async def test_encode_takes_the_encoder_that_is_named(
    client: httpx.AsyncClient, others: list[Path]
) -> None:
    fingerprint = open_encoder(others[0], OPTIONS).manifest.fingerprint
    named = await client.post("/encode", json={"texts": ["企业"], "encoder": fingerprint})
    default = await client.post("/encode", json={"texts": ["企业"]})
    assert named.json()["encoder"] == fingerprint != default.json()["encoder"]
    unknown = await client.post("/encode", json={"texts": ["企业"], "encoder": "0" * 16})
    assert (unknown.status_code, unknown.json()["code"]) == (409, "encoder_mismatch")


async def test_those_not_used_make_room_for_others(
    several: EncoderDirectories, encoder: Encoder, others: list[Path]
) -> None:
    """Two encoders are installed beside the default one, with memory for one of them."""
    first, second = (each.fingerprint for each in several.others)
    expected = [open_encoder(path, OPTIONS).encode_queries(["企业"])[0] for path in others]
    room = sum(each.bytes for each in (several.default, *several.others)) - 1
    soon = Deadline.after(60)
    async with Encoders(
        several, encoder, OPTIONS, most_bytes=room, queued_tokens=10_000
    ) as encoders:
        for _ in range(2):
            for fingerprint, vector in zip((first, second), expected, strict=True):
                found = await encoders.encode_query(fingerprint, "企业", soon)
                np.testing.assert_allclose(found, vector, atol=1e-6)
        async with encoders.using(first):
            with pytest.raises(ModelUnavailable, match="ENCODER_MEMORY_MB"):
                await encoders.encode_query(second, "企业", soon)
            await encoders.encode_query(several.default.fingerprint, "企业", soon)
        many = [encoders.encode_query(second, "企业", soon) for _ in range(20)]
        for found in await asyncio.gather(*many):
            np.testing.assert_allclose(found, expected[1], atol=1e-6)
        with pytest.raises(EncoderMismatch):
            await encoders.encode_query("0" * 16, "企业", soon)


async def test_two_that_have_no_room_together_are_both_used(
    encoder_dir: Path,
    others: list[Path],
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The searches for which one was opened use it before it makes room for the other."""
    opened: list[str] = []

    def noted(directory: EncoderDirectory, options: PredictorOptions) -> Encoder:
        opened.append(directory.fingerprint)
        return open_described(directory, options)

    monkeypatch.setattr("services.recall.encoders.open_described", noted)
    known = EncoderDirectories.read(
        encoder_dir, [*others, tiny_encoder(tmp_path / "third", seed=3)]
    )
    one, *two = known.others
    room = known.default.bytes + sum(each.bytes for each in two) - 1
    async with (
        asyncio.timeout(60),
        Encoders(known, encoder, OPTIONS, most_bytes=room, queued_tokens=10_000) as encoders,
    ):
        assert opened == [one.fingerprint]
        asked = [
            encoders.encode_query(each.fingerprint, "企业", Deadline.after(60)) for each in two * 5
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
    # A search that comes while the other encoder is in use may be refused.
    assert {type(one) for one in found} <= {np.ndarray, ModelUnavailable}
    assert len([one for one in found if isinstance(one, np.ndarray)]) >= 5
    assert len(opened) <= 3


async def test_another_model_in_the_directory_of_an_encoder_is_not_taken_for_it(
    encoder_dir: Path, encoder: Encoder, tmp_path: Path
) -> None:
    """It was replaced while the services run: its vectors would be compared with those before."""
    replaced = tiny_encoder(tmp_path / "other", seed=1)
    known = EncoderDirectories.read(encoder_dir, [replaced])
    (before,) = known.others
    tiny_encoder(replaced, seed=2)
    room = 10 * before.bytes + known.default.bytes
    worker = WorkerEncoders(known, encoder, OPTIONS, room)
    with (
        pytest.raises(ModelUnavailable, match=before.fingerprint),
        worker.using(before.fingerprint),
    ):
        pass
    async with Encoders(known, encoder, OPTIONS, most_bytes=room, queued_tokens=1000) as encoders:
        with pytest.raises(ModelUnavailable, match=before.fingerprint):
            await encoders.encode_query(before.fingerprint, "企业", Deadline.after(60))
        tiny_encoder(replaced, seed=1)
        await encoders.encode_query(before.fingerprint, "企业", Deadline.after(60))

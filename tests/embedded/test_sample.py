"""The sample literature is indexed once, and what prevents that is told."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.client.scripted import ScriptedGateway, job, scripted_gateway
from xunwen import Client
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.launcher import _index
from xunwen.embedded.progress import ProgressDisplay
from xunwen.embedded.sample import load_sample
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.stopping import StopSignals


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture
def sampled(settings: EmbeddedSettings, tmp_path: Path) -> EmbeddedSettings:
    for number in range(2):
        content = f'{{"id": "{number}", "title": "题"}}\n'
        (tmp_path / f"literature_{number}.jsonl").write_text(content * 2_000, "utf-8")
    return settings.model_copy(update={"sample": tmp_path})


def loaded(gateway: ScriptedGateway, settings: EmbeddedSettings) -> list[str]:
    with Client(gateway.url) as client:
        return [job.state.value for job in load_sample(client, settings)]


def test_it_is_indexed_once(gateway: ScriptedGateway, sampled: EmbeddedSettings) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    gateway.answer(200, job("succeeded"))
    assert loaded(gateway, sampled)[-1] == "succeeded"
    sent = gateway.asked[0].body
    assert sent == b"".join(file.read_bytes() for file in sorted(sampled.sample.iterdir())[1:])
    gateway.asked.clear()
    assert loaded(gateway, sampled) == []
    assert [asked.path for asked in gateway.asked] == ["/v1/index-jobs/j1"]
    assert list(sampled.run_dir.iterdir()) == []


def test_a_start_goes_on_without_it_after_it_failed(
    gateway: ScriptedGateway, sampled: EmbeddedSettings
) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    gateway.answer(200, job("failed"))
    with pytest.raises(EmbeddedError, match=r"`xunwen up` .* without it.*`xunwen jobs retry j1`"):
        loaded(gateway, sampled)
    assert loaded(gateway, sampled) == []


def test_a_full_disk_is_told(gateway: ScriptedGateway, sampled: EmbeddedSettings) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(EmbeddedError, match="XUNWEN_HOME"):
            loaded(gateway, sampled)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert gateway.asked == []


def test_files_that_are_not_there(gateway: ScriptedGateway, settings: EmbeddedSettings) -> None:
    empty = settings.model_copy(update={"sample": settings.run_dir})
    with pytest.raises(EmbeddedError, match="--no-sample"):
        loaded(gateway, empty)


@pytest.mark.parametrize("noted", ["sample.json", "milvus-lite-3"])
def test_a_home_that_cannot_be_written_is_told(
    noted: str, gateway: ScriptedGateway, sampled: EmbeddedSettings
) -> None:
    port = int(gateway.url.rpartition(":")[2])
    served = sampled.model_copy(update={"gateway_port": port})
    if noted == "sample.json":
        (served.home / noted).mkdir()
    else:
        (served.home / noted).write_bytes(b"")
        (served.home / "milvus" / "collections").mkdir()
    with pytest.raises(EmbeddedError, match=f"{noted}.*XUNWEN_HOME"):
        _index(served, "key", ProgressDisplay(Console()), StopSignals(), sample=True)

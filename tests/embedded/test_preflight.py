"""What stands in the way of a start is named before anything is started."""

import shutil
import socket
from pathlib import Path

import pytest

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.parts import addresses, parts
from xunwen.embedded.preflight import (
    check_environment,
    check_models,
    check_ports,
    prepare_home,
)
from xunwen.embedded.settings import PORTS, EmbeddedSettings


def test_a_taken_port_is_named_with_its_setting(settings: EmbeddedSettings) -> None:
    check_ports(parts(settings))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", settings.rank_port))
        holder.listen()
        with pytest.raises(EmbeddedError, match="XUNWEN_RANK_PORT") as caught:
            check_ports(parts(settings))
    assert f"Port {settings.rank_port} " in str(caught.value)


@pytest.mark.parametrize("host", ["192.0.2.77", "2001:db8::77", "[::1]", "nobody.invalid"])
def test_an_address_of_another_machine_is_named_with_its_setting(
    settings: EmbeddedSettings, host: str
) -> None:
    elsewhere = settings.model_copy(update={"gateway_host": host})
    with pytest.raises(EmbeddedError, match="set XUNWEN_GATEWAY_HOST to") as caught:
        check_ports(parts(elsewhere))
    assert f"The gateway cannot listen on {host}:" in str(caught.value)


def test_two_parts_with_one_port_are_both_named(settings: EmbeddedSettings) -> None:
    clash = settings.model_copy(update={"cache_port": settings.state_port})
    with pytest.raises(EmbeddedError, match="XUNWEN_STATE_PORT and XUNWEN_CACHE_PORT"):
        check_ports(parts(clash))


def test_zero_ports_become_distinct_ones(settings: EmbeddedSettings) -> None:
    chosen = [getattr(settings, name) for name in PORTS]
    assert 0 not in chosen
    assert len(set(chosen)) == len(chosen)


def test_the_home_has_a_folder_for_dictionaries(settings: EmbeddedSettings) -> None:
    assert settings.dictionaries.is_dir(), "its services do not start without it"


def test_a_full_disk_is_said_before_anything_is_written(settings: EmbeddedSettings) -> None:
    needy = settings.model_copy(update={"min_free_mb": 10**9})
    with pytest.raises(EmbeddedError, match=r"is full: [\d,]+ MB free, 1,000,000,000 MB needed"):
        prepare_home(needy)


def test_a_home_that_cannot_be_made_is_said(settings: EmbeddedSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wrong = settings.model_copy(update={"home": tmp_path / "file" / "home"})
    with pytest.raises(EmbeddedError, match="XUNWEN_HOME"):
        prepare_home(wrong)


def test_a_missing_model_file_is_named(settings: EmbeddedSettings, tmp_path: Path) -> None:
    check_models(settings)
    model = tmp_path / "model"
    model.mkdir()
    for name in ("manifest.json", "inference.pdmodel", "tokenizer.json"):
        shutil.copy(settings.encoder / name, model / name)
    broken = settings.model_copy(update={"encoder": model})
    with pytest.raises(EmbeddedError, match=r"inference\.pdiparams is missing.*XUNWEN_ENCODER"):
        check_models(broken)


def test_a_ranker_is_not_taken_for_an_encoder(settings: EmbeddedSettings) -> None:
    swapped = settings.model_copy(update={"encoder": settings.ranker})
    with pytest.raises(EmbeddedError, match="kind ranker, not encoder"):
        check_models(swapped)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XUNWEN_RECALL_MILVUS_URI", "http://milvus:19530"),
        ("XUNWEN_INDEXER_STORAGE_URL", "s3://jobs/xunwen"),
        ("XUNWEN_GATEWAY_STATE_REDIS_URL", "redis://redis:6379/0"),
        ("XUNWEN_INDEXER_THREADS", "77"),
    ],
)
def test_a_variable_that_would_have_no_effect_is_named(
    settings: EmbeddedSettings, name: str, value: str
) -> None:
    with pytest.raises(EmbeddedError, match=f"{name} is set and would have no effect"):
        check_environment(addresses(settings), {name: value})


def test_variables_that_count_are_taken(settings: EmbeddedSettings) -> None:
    own = addresses(settings)
    given = {
        "XUNWEN_GATEWAY_PORT": "0",  # one of the system's own settings
        "XUNWEN_INDEXER_PRECISION": "auto",
        "XUNWEN_RANK_KEEP": "20",  # passed on
        "XUNWEN_RECALL_MILVUS_URI": "",  # counts as not set
        "XUNWEN_INDEXER_URL": own["XUNWEN_INDEXER_URL"],
    }
    check_environment(own, given)

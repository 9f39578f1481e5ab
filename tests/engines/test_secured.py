"""A Milvus that asks for certificates, user and password, and holds several databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient

from services.common.errors import IndexUnavailable
from services.common.milvus import MilvusAddress, Missing, milvus_connection
from tests.indexer.installation import documents, installation
from tests.milvus_standalone import available, milvus_standalone
from tests.redis_sets import certificates
from tests.servers import free_port

pytestmark = pytest.mark.skipif(not available(), reason="Milvus 2.3.5 is built for x86-64 only")


@contextmanager
def _secured(folder: Path, *, mutual: bool) -> Iterator[MilvusAddress]:
    """Entered by certificate, user and password; it has the database `papers`."""
    made = certificates(folder / "certificates")
    address = MilvusAddress(
        "",
        "root:Milvus",
        ca=made.ca,
        certificate=made.client if mutual else None,
        key=made.client_key if mutual else None,
        prefix="XUNWEN_RECALL_",
    )
    with milvus_standalone(
        folder / "data",
        address,
        tls_mode="2" if mutual else "1",
        authorization_enabled="true",
        server_pem_path=str(made.server),
        server_key_path=str(made.server_key),
        ca_pem_path=str(made.ca),
    ) as server:
        address = replace(address, uri=server.url)
        client = MilvusClient(**address.options())
        client.create_database("papers")
        client.close()
        yield replace(address, database="papers")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusAddress]:
    with _secured(tmp_path_factory.mktemp("secured"), mutual=False) as address:
        yield address


async def _reason(address: MilvusAddress) -> str:
    """Why it is not entered; empty if it is."""
    async with milvus_connection(address) as connection:
        try:
            await connection.check(5)
        except Missing:
            return "a missing collection"
        except IndexUnavailable as error:
            return error.detail
    return ""


async def test_what_is_wrong_is_told_with_the_setting(
    secured: MilvusAddress, tmp_path: Path
) -> None:
    assert await _reason(secured) == ""
    other = certificates(tmp_path / "others").ca
    plain, nobody = secured.uri.replace("https", "http"), f"http://127.0.0.1:{free_port()}"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"token": None}, "XUNWEN_RECALL_MILVUS_TOKEN is wrong"),
        ({"token": "root:else"}, "XUNWEN_RECALL_MILVUS_TOKEN is wrong"),
        ({"database": "absent"}, "MILVUS_DATABASE"),
        ({"ca": None}, "is not trusted (unable to get local issuer certificate): see XUNWEN_"),
        ({"ca": other}, "see XUNWEN_RECALL_MILVUS_CA"),
        ({"uri": plain, "ca": None}, "it asks for TLS (XUNWEN_RECALL_MILVUS_URI)"),
        ({"uri": nobody, "ca": None}, "change XUNWEN_RECALL_MILVUS_URI"),
    ]
    for change, reason in wrong:
        assert reason in await _reason(replace(secured, **change)), change


async def test_names_are_those_of_the_database(secured: MilvusAddress) -> None:
    client = MilvusClient(**secured.options())
    for physical in ("first", "second"):
        client.create_collection(physical, dimension=4)
    client.close()
    async with milvus_connection(secured) as connection:
        names = await connection.names()
        assert await names.resolve("papers") is None
        for physical in ("first", "second"):
            await names.point("papers", physical)
            assert await names.resolve("papers") == physical
        assert await names.all(["first", "second"]) == {"papers": "second"}
        await names.unpoint("papers")
        assert await names.resolve("papers") is None


@pytest.mark.soak
def test_the_system_indexes_and_searches_there(tmp_path: Path) -> None:
    with _secured(tmp_path, mutual=True) as address:
        variables: dict[str, Any] = {
            f"XUNWEN_{service}_MILVUS_{name}": str(value)
            for service in ("RECALL", "INDEXER")
            for name, value in (
                ("URI", address.uri),
                ("TOKEN", address.token),
                ("DATABASE", address.database),
                ("CA", address.ca),
                ("CERTIFICATE", address.certificate),
                ("KEY", address.key),
            )
        }
        with installation(tmp_path, **variables) as running:
            running.succeeded(running.submit("papers", documents(50)))
            assert running.found("papers", "第7篇文献", mode="dense")
            # A rebuild switches the alias to another collection.
            running.succeeded(running.submit("papers", documents(20, "e"), mode="rebuild"))
            found = running.found("papers", "第7篇文献", mode="dense")
            assert {identity[0] for identity in found} == {"e"}
        held = []
        for database in (address.database, "default"):
            client = MilvusClient(**replace(address, database=database).options())
            held.append(len(client.list_collections()))
            client.close()
        assert held == [2, 0]  # the one before the rebuild is kept for a rollback

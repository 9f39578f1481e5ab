"""What an owner sets for a collection: types of fields and words, through gateway and clients."""

import asyncio
from collections.abc import Iterator

import pytest

from services.gateway.access.rights import is_audited
from tests.stack import Stack
from xunwen import ApiError, AsyncClient, Client, Document, XunwenError

NAME = "owned-settings"


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, timeout=60) as client:
        yield client
        client.delete_collection(NAME)


def test_types_and_words_through_the_clients(client: Client, stack: Stack) -> None:
    made = client.create_collection(NAME, fields={"year": "number"})
    assert made.fields["year"].type == "number"
    assert client.put_dictionary(NAME, ["寻文系统"]).waiting is False
    for identity, title in (("parts", "寻文的系统，系统寻文"), ("whole", "寻文系统的部署")):
        client.put(Document(id=identity, title=title, fields={"year": "2020"}), collection=NAME)
    with pytest.raises(ApiError, match="`year` is declared as number"):
        client.put(Document(id="x", title="题", fields={"year": "soon"}), collection=NAME)
    with pytest.raises(XunwenError, match=r"fields\.a\.type"):
        client.declare_fields(NAME, {"a": "colour"})
    with pytest.raises(XunwenError, match="Dictionary"):
        client.put_dictionary(NAME, ["a b"])

    async def asynchronously() -> None:
        async with AsyncClient(stack.url, timeout=60) as other:
            declared = await other.declare_fields(NAME, {"note": {"type": "text", "weight": 2}})
            assert declared.fields["note"].weight == 2
            assert (await other.dictionary(NAME)).words == ["寻文系统"]

    asyncio.run(asynchronously())
    options = {"mode": "lexical", "rank": False, "filter": {"year": {"gte": 2020}}}
    found = client.search("寻文系统", collection=NAME, **options)  # type: ignore[arg-type]
    assert [hit.id for hit in found.hits] == ["whole", "parts"]
    assert client.statistics(NAME).fields[0].type == "number"
    for path in ("fields", "dictionary"):
        assert is_audited("PUT", f"/v1/collections/{NAME}/{path}")

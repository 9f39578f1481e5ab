"""The bounds on bodies by themselves: sizes to the byte, and times in virtual time."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from services.common.errors import (
    MalformedRequest,
    Overloaded,
    PayloadTooLarge,
    RequestTimeout,
    SearchError,
    UnsupportedFormat,
)
from services.gateway.access.body_limits import BodyLimits, is_inline
from tests.virtual_time import virtual_time

LARGEST = 100
SECONDS = 5.0
GONE: Message = {"type": "http.disconnect"}


def limits() -> BodyLimits:
    return BodyLimits(LARGEST, 10 * LARGEST, SECONDS)


def arriving(*blocks: bytes | Message, pause: float = 0.0) -> Receive:
    """A body whose blocks come one after the other, each after a pause in seconds."""
    coming = iter(blocks)
    left = len(blocks)

    async def receive() -> Message:
        nonlocal left
        await asyncio.sleep(pause)
        block, left = next(coming), left - 1
        if isinstance(block, bytes):
            return {"type": "http.request", "body": block, "more_body": left > 0}
        return block

    return receive


async def never() -> Message:
    raise AssertionError("nothing of the body need be read")


async def read(receive: Receive) -> bytes:
    """What a route gets of an upload."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def taken(limits: BodyLimits, headers: Headers, receive: Receive) -> bytes:
    """The body of a request that ends at once."""
    async with limits.whole(headers, receive) as body:
        return body


@pytest.mark.parametrize("blocks", [[b"x" * LARGEST], [b"x" * 60, b"", b"x" * 40], [b""]])
async def test_a_body_up_to_the_limit_is_held_whole(blocks: Sequence[bytes]) -> None:
    headers = Headers({"content-length": str(sum(map(len, blocks)))})
    assert await taken(limits(), headers, arriving(*blocks)) == b"".join(blocks)


@pytest.mark.parametrize(
    ("headers", "receive", "error"),
    [
        ({"content-length": str(LARGEST + 1)}, never, PayloadTooLarge),
        ({"content-length": "9" * 5_000}, never, PayloadTooLarge),
        ({}, arriving(b"x" * 60, b"x" * 41), PayloadTooLarge),
        ({"content-length": "1"}, arriving(b"x" * 60, b"x" * 41), PayloadTooLarge),
        ({"content-encoding": "gzip"}, never, UnsupportedFormat),
        ({"content-encoding": "identity, gzip"}, never, UnsupportedFormat),
        ({}, arriving(b"x", GONE), MalformedRequest),
        ({}, arriving(GONE), MalformedRequest),
    ],
)
async def test_what_is_refused(
    headers: dict[str, str], receive: Receive, error: type[SearchError]
) -> None:
    with pytest.raises(error):
        await taken(limits(), Headers(headers), receive)


@pytest.mark.parametrize("coding", ["identity", " Identity ", ""])
async def test_a_body_that_says_it_is_not_compressed_is_taken(coding: str) -> None:
    headers = Headers({"content-encoding": coding})
    assert await taken(limits(), headers, arriving(b"{}")) == b"{}"


@pytest.mark.parametrize(("pause", "late"), [(0.9, False), (1.1, True)])
def test_a_body_in_memory_has_its_time_for_all_blocks_together(
    monkeypatch: pytest.MonkeyPatch, pause: float, late: bool
) -> None:
    async def whole() -> bytes:
        return await taken(limits(), Headers({}), arriving(*[b"x"] * 5, pause=pause))

    with virtual_time(monkeypatch) as run:
        if late:
            with pytest.raises(RequestTimeout, match="within 5 s"):
                run(whole())
        else:
            assert run(whole()) == b"xxxxx"


async def test_bodies_together_are_bounded_and_give_their_room_back() -> None:
    shared, more = limits(), asyncio.Event()

    async def halting() -> Message:
        if not begun.is_set():
            begun.set()
            return {"type": "http.request", "body": b"x" * LARGEST, "more_body": True}
        await more.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    waiting = []
    for _ in range(16):
        begun = asyncio.Event()
        waiting.append(asyncio.create_task(taken(shared, Headers({}), halting)))
        await begun.wait()
    with pytest.raises(Overloaded):
        await taken(shared, Headers({}), arriving(b"x"))
    more.set()
    assert [len(body) for body in await asyncio.gather(*waiting)] == [LARGEST] * 16
    for _ in range(20):
        assert await taken(shared, Headers({}), arriving(b"x" * LARGEST))


async def test_a_body_takes_its_room_until_its_request_ends() -> None:
    """It was free once the body had arrived, while the route held it: a thousand slow calls of
    16 MiB each could take 16 GiB. Small bodies, such as those of searches, are let in."""
    shared = BodyLimits(1_000, 1_000, SECONDS)
    large = b"x" * 1_000
    async with AsyncExitStack() as requests:
        for _ in range(16):
            await requests.enter_async_context(shared.whole(Headers({}), arriving(large)))
        with pytest.raises(Overloaded):
            await taken(shared, Headers({}), arriving(b"x" * 4))
        assert await taken(shared, Headers({}), arriving(b"{}x")) == b"{}x"
    with pytest.raises(ZeroDivisionError):
        async with shared.whole(Headers({}), arriving(large)):
            raise ZeroDivisionError
    for _ in range(20):
        assert await taken(shared, Headers({}), arriving(large)) == large


async def test_a_refused_body_gives_its_room_back() -> None:
    shared = limits()
    for _ in range(40):
        with pytest.raises(PayloadTooLarge):
            await taken(shared, Headers({}), arriving(b"x" * (LARGEST + 1)))
    assert await taken(shared, Headers({}), arriving(b"x")) == b"x"


async def test_an_upload_is_bounded_by_its_own_limit() -> None:
    most = 10 * LARGEST
    with pytest.raises(PayloadTooLarge):
        limits().streamed(Headers({"content-length": str(most + 1)}), never)
    exact = Headers({"content-length": str(most)})
    assert len(await read(limits().streamed(exact, arriving(b"x" * 900, b"x" * 100)))) == most
    longer = limits().streamed(exact, arriving(b"x" * 900, b"x" * 101))
    with pytest.raises(PayloadTooLarge, match="1,000 bytes; split it into several files"):
        await read(longer)


@pytest.mark.parametrize(("pause", "late"), [(4.9, False), (5.1, True)])
def test_an_upload_may_take_long_if_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, pause: float, late: bool
) -> None:
    async def upload() -> bytes:
        return await read(limits().streamed(Headers({}), arriving(*[b"x"] * 100, pause=pause)))

    with virtual_time(monkeypatch) as run:
        if late:
            with pytest.raises(RequestTimeout, match="for 5 s"):
                run(upload())
        else:
            assert run(upload()) == b"x" * 100


@pytest.mark.parametrize(
    ("kind", "stated", "inline"),
    [
        ("application/json", None, True),
        ("application/json", "jsonl", True),
        ("application/json", "json", False),
        ("application/json", "csv", False),
        ("application/x-ndjson", None, False),
        ("", None, False),
    ],
)
def test_documents_in_the_body_itself(kind: str, stated: str | None, inline: bool) -> None:
    assert is_inline(kind, stated) is inline

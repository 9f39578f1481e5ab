"""`xunwen mcp`: its end, and what it makes of servers that are not Xunwen's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from mcp import Client as Agent
from mcp.types import TextContent

from services.common.agents import agent_server
from tests.client.scripted import ScriptedGateway
from xunwen.cli.mcp import Gateway

ASKED: list[tuple[str, dict[str, object]]] = [
    ("search", {"query": "冻土"}),
    ("get", {"id": "1"}),
    ("collections", {}),
    ("cite", {"ids": ["1"]}),
]
HELLO: dict[str, object] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@contextmanager
def begun() -> Iterator["subprocess.Popen[bytes]"]:
    """The command, after it has answered its client's first message."""
    with subprocess.Popen(
        [sys.executable, "-m", "xunwen", "mcp"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "XUNWEN_URL": "http://127.0.0.1:9"},
    ) as process:  # fmt: skip
        try:
            tell(process, "initialize", HELLO)
            assert process.stdout is not None
            assert b'"xunwen"' in process.stdout.readline()
            yield process
        finally:
            process.kill()


def tell(process: "subprocess.Popen[bytes]", method: str, params: dict[str, object]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def test_an_interrupt_ends_it_while_it_waits_for_its_client() -> None:
    with begun() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_client_that_has_gone_ends_it_without_a_trace() -> None:
    with begun() as process:
        assert process.stdout is not None
        process.stdout.close()
        tell(process, "tools/list", {})
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("tool", "arguments"), ASKED)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>Sign in</html>"),
        ("text/html", b""),
        ("application/json", b"<html>"),
        ("application/json", b"[]"),
    ],
)
async def test_another_server_at_the_address_is_told(
    tool: str, arguments: dict[str, object], kind: str, body: bytes, gateway: ScriptedGateway
) -> None:
    gateway.answer(200, body, content_type=kind)
    async with (
        httpx.AsyncClient(base_url=gateway.url) as http,
        Agent(agent_server(Gateway(http))) as agent,
    ):
        answer = await agent.call_tool(tool, arguments)
    assert answer.is_error
    content = answer.content[0]
    assert isinstance(content, TextContent)
    assert content.text == "The server does not answer as Xunwen does; check the address."

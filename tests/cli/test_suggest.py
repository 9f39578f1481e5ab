"""Suggestions on the command line."""

from tests.cli.conftest import Xunwen
from tests.client.scripted import ScriptedGateway


def test_suggest(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    found = {
        "suggestions": [{"text": "神经[网络]", "kind": "keyword", "count": 1200}],
        "did_you_mean": "神经网络",
        "complete": False,
        "took_ms": 1.0,
    }
    gateway.answer(200, found)
    ran = xunwen("suggest", "sjwl", "-c", "papers", "-n", "3")
    assert gateway.asked[0].path == "/v1/collections/papers/suggestions?q=sjwl&limit=3"
    assert "神经[网络]  keyword  1,200" in ran.out
    assert "did you mean: 神经网络" in ran.out
    assert "has not been read whole" in ran.out
    gateway.script[:] = [(200, {**found, "suggestions": [], "did_you_mean": None}, {})]
    assert "No suggestion fits." in xunwen("suggest", "q").out

"""The synchronous client is what the generator makes of the asynchronous one."""

import inspect

from xunwen import AsyncClient, Client
from xunwen.client.generate import SOURCE, TARGET, synchronous


def test_the_synchronous_client_is_generated() -> None:
    generated = synchronous(SOURCE.read_text(encoding="utf-8"))
    assert TARGET.read_text(encoding="utf-8") == generated, "run python xunwen/client/generate.py"


def test_nothing_asynchronous_is_left_in_it() -> None:
    text = TARGET.read_text(encoding="utf-8")
    assert [word for word in ("async", "await", "aclose", "aread") if word in text] == []


def public(client: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in vars(client).items()
        if callable(member) and not name.startswith("_")
    }


def test_both_clients_have_the_same_methods_with_docstrings() -> None:
    one, other = public(Client), public(AsyncClient)
    assert set(one) - {"close"} == set(other) - {"aclose"}
    for name in set(one) & set(other):
        assert one[name].parameters == other[name].parameters, name
    for client in (Client, AsyncClient):
        assert [name for name in public(client) if not inspect.getdoc(getattr(client, name))] == []

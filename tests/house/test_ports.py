"""Ports that tests ask for before their servers start."""

from tests.servers import free_port


def test_no_port_is_given_twice() -> None:
    """Two servers of one test would ask for it, and the second one not start."""
    ports = [free_port() for _ in range(2_000)]
    assert len(set(ports)) == len(ports)

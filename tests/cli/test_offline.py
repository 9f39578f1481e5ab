"""What a command says when a module that it needs is not installed."""

import pytest

from xunwen.cli.offline import advice


@pytest.mark.parametrize(
    ("command", "module", "python", "expected"),
    [
        (
            "train",
            "paddlenlp",
            (3, 12),
            "`xunwen train` needs paddlenlp; install the extra:"
            " pip install 'xunwen[training]' (in a checkout: make dev).",
        ),
        (
            "train",
            "paddlenlp",
            (3, 13),
            "`xunwen train` needs paddlenlp, which cannot be installed under a newer Python than"
            " 3.12; use that.",
        ),
        (
            "mcp",
            "mcp",
            (3, 13),
            "`xunwen mcp` needs mcp; install the extra:"
            " pip install 'xunwen[mcp]' (in a checkout: make dev).",
        ),
    ],
)
def test_advice(command: str, module: str, python: tuple[int, int], expected: str) -> None:
    assert advice(command, module, python) == expected

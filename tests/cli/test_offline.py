"""What a command says when a module that it needs is not installed."""

import subprocess
import sys
import tomllib

import pytest

from tests.house.imports import ROOT
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


def test_a_client_without_the_command_line() -> None:
    """`pip install xunwen` installs the script too."""
    with (ROOT / "pyproject.toml").open("rb") as project:
        package, _, function = tomllib.load(project)["project"]["scripts"]["xunwen"].partition(":")
    script = (
        f"import sys; sys.modules['typer'] = None; from {package} import {function}; {function}()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "xunwen: The command line needs typer; install the extra: pip install 'xunwen[cli]'.\n"
    )

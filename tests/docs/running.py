"""Runs the code blocks of the documentation."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import Block
from tests.stack import Stack

ADDRESS = "http://127.0.0.1:8000"
_FAILING_CURL = 'curl() { command curl --fail-with-body --retry 4 "$@"; }\n'
"""Otherwise an error answer is a success to the shell."""
_SECONDS = 300


def run(block: Block, stack: Stack, folder: Path) -> "subprocess.CompletedProcess[str]":
    """As a reader would with the page's folder open and `xunwen up` running on its own ports."""
    code = block.code.replace(ADDRESS, stack.url)
    if block.language == "bash":
        command = ["bash", "-euo", "pipefail", "-c", _FAILING_CURL + code]
    else:
        command = [sys.executable, "-c", code]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**stack.env, "PATH": path, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=_SECONDS, check=False
    )

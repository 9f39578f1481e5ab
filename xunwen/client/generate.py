"""`python xunwen/client/generate.py` writes the synchronous client from the asynchronous one.

A test compares the file with the output of this module, so that neither is changed alone.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCE, TARGET = HERE / "asynchronous.py", HERE / "synchronous.py"

DOCSTRING = '"""The synchronous client; `python xunwen/client/generate.py` writes this file."""'
_REPLACED = (
    (r'^""".*?"""', DOCSTRING),
    (r"(?:async )?for (\w+) in (.+):\n +yield \1\n", r"yield from \2\n"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bAsync(Client|Iterator)\b", r"\1"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes|blocks|pack)\b", r"\1"),
)
"""Patterns and replacements, applied in this order to the whole file."""


def synchronous(source: str) -> str:
    """The text of the synchronous client for the text of the asynchronous one."""
    for pattern, replacement in _REPLACED:
        source = re.sub(pattern, replacement, source)
    formatted = subprocess.run(  # noqa: S603 - the formatter of this environment
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"],
        input=source.encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return formatted.stdout.decode()


if __name__ == "__main__":
    TARGET.write_text(synchronous(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")

"""The programs of docs/compatible.md with the real clients, in an environment of their own."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, missing
from tests.docs.running import ADDRESS
from tests.stack import Stack

REQUIREMENTS = Path(__file__).with_name("clients.txt")
PROGRAMS = [
    block for block in blocks(ROOT / "docs" / "compatible.md") if block.environment == "clients"
]

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the clients; XUNWEN_TEST_CLIENTS names a ready one."""
    ready = os.environ.get("XUNWEN_TEST_CLIENTS")
    folder = Path(ready) if ready else tmp_path_factory.mktemp("clients")
    if not ready:
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_client(program: Block, python: Path, stack: Stack) -> None:
    code = program.code.replace(ADDRESS, stack.url)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}  # for our own retrievers
    ran = subprocess.run(
        [python, "-c", code], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    print(f"--- {program}\n{ran.stdout}")
    assert ran.returncode == 0, ran.stderr
    lost = missing(program.output, ran.stdout)
    assert not lost, f"{program} did not print {lost}, but:\n{ran.stdout}"


def test_a_retriever_of_langchain_refuses_what_it_does_not_have(python: Path) -> None:
    """Without a word it would search another collection than the one that was named."""
    code = """
from pydantic import ValidationError
from xunwen.integrations.langchain import XunwenRetriever
try:
    XunwenRetriever(collection="papers")
except ValidationError as error:
    print(error)
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "collection" in ran.stdout


def test_every_client_of_the_list_has_a_program() -> None:
    assert len(PROGRAMS) == 7
    text = "".join(program.code for program in PROGRAMS).replace("_", "-").replace(".", "-")
    for line in REQUIREMENTS.read_text().split():
        name = line.partition("==")[0].removesuffix("-ai").removesuffix("-core")
        assert name in text, f"{name} is installed and not used"

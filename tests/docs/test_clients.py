"""The programs of docs/compatible.md with the real clients, in an environment of their own."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from tests.client.scripted import scripted_gateway
from tests.docs.blocks import ROOT, Block, blocks, missing
from tests.docs.running import ADDRESS
from tests.stack import Stack

REQUIREMENTS = Path(__file__).with_name("clients.txt")
PROGRAMS = [
    block for block in blocks(ROOT / "docs" / "compatible.md") if block.environment == "clients"
]

ANSWER = {
    "query": "a",
    "collection": "papers",
    "hits": [{"rank": 1, "id": "1", "score": 1.0, "title": "t", "text": "words"}],
    "took_ms": 1.0,
}

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


def printed(python: Path, code: str, url: str = "") -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [python, "-c", code, url], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


_NO_SUCH_ARGUMENT = """
from pydantic import ValidationError
from xunwen.integrations.langchain import XunwenRetriever
for wrong in ({"collection": "papers"}, {"k": 0}, {"k": 3, "options": {"top_k": 4}}):
    try:
        XunwenRetriever(**wrong)
    except ValidationError as error:
        print(*wrong, "refused:", error.errors()[0]["msg"])
try:
    XunwenRetriever().invoke("a", k=1, top_k=2)
except ValueError as error:
    print("call refused:", error)
"""


def test_a_retriever_of_langchain_refuses_what_it_does_not_have(python: Path) -> None:
    """Without a word it would search another collection than the one that was named."""
    collection, none, twice, call = printed(python, _NO_SUCH_ARGUMENT).splitlines()
    assert collection.startswith("collection refused:")
    assert none.startswith("k refused:")
    for line in (twice, call):
        assert "`k` and `top_k`" in line, line


_NUMBERS = """
import asyncio, sys
from xunwen.integrations.langchain import XunwenRetriever
three = XunwenRetriever(url=sys.argv[1], k=3, options={"collection": "papers"})
three.invoke("a")
three.invoke("a", k=5)
three.invoke("a", top_k=6)
asyncio.run(three.ainvoke("a"))
asyncio.run(three.ainvoke("a", k=7))
four = XunwenRetriever(url=sys.argv[1], options={"top_k": 4})
four.invoke("a")
four.invoke("a", k=2)
four.invoke("a", k=None)
XunwenRetriever(url=sys.argv[1]).invoke("a")
"""


def test_a_retriever_of_langchain_takes_k_as_others_do(python: Path) -> None:
    with scripted_gateway() as gateway:
        gateway.answer(200, ANSWER)
        printed(python, _NUMBERS, gateway.url)
        numbers = [asked.json.get("top_k") for asked in gateway.asked]
    assert numbers == [3, 5, 6, 3, 7, 4, 2, 4, None]


_ASYNC = """
import asyncio, sys
from haystack import Pipeline
from haystack.utils import Secret
from xunwen.integrations.haystack import XunwenRetriever
retriever = XunwenRetriever(sys.argv[1], api_key=Secret.from_token("xw"), options={"top_k": 4})
given = {"query": "a", "filters": {"field": "year", "operator": ">", "value": 1}, "top_k": 2}
pipeline = Pipeline()
pipeline.add_component("retriever", retriever)
runs = [
    retriever.run(**given),
    asyncio.run(retriever.run_async(**given)),
    asyncio.run(pipeline.run_async({"retriever": given}))["retriever"],
]
assert runs[0] == runs[1] == runs[2], runs
print(runs[0]["documents"][0].content)
"""


def test_a_retriever_of_haystack_runs_asynchronously(python: Path) -> None:
    with scripted_gateway() as gateway:
        gateway.answer(200, ANSWER)
        assert printed(python, _ASYNC, gateway.url) == "words\n"
        first, *others = [
            (asked.path, asked.headers["authorization"], asked.json) for asked in gateway.asked
        ]
    assert others == [first, first]
    assert first[2]["top_k"] == 2


def test_every_client_of_the_list_has_a_program() -> None:
    assert len(PROGRAMS) == 7
    text = "".join(program.code for program in PROGRAMS).replace("_", "-").replace(".", "-")
    for line in REQUIREMENTS.read_text().split():
        name = line.partition("==")[0].removesuffix("-ai").removesuffix("-core")
        assert name in text, f"{name} is installed and not used"

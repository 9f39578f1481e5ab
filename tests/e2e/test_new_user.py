"""What the README tells a new user to type, typed in an empty clone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks
from tests.e2e.foreground import foreground
from tests.e2e.titles import titles_found
from tests.servers import free_port
from tests.stack import PAPERS
from xunwen import Client
from xunwen.client import JobState
from xunwen.embedded.leftovers import leftovers
from xunwen.embedded.settings import PORTS, EmbeddedSettings, variable

ADDRESS = "http://127.0.0.1:8000"
INSTALL_SECONDS = 1800
SAMPLE = 9000
CSV = "id,title,text\n1,神经网络的剪枝方法,一种压缩卷积网络的方法\n2,土壤改良,盐碱地\n"


def readme(first: str) -> Block:
    (block,) = [each for each in blocks(ROOT / "README.md") if each.code.lstrip().startswith(first)]
    return block


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def readme_quality() -> list[list[float]]:
    """MRR@10 of BM25, dense, hybrid and ranked, by task, of the tasks whose data are here: a row
    of others links the page that measured it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| task (") :].split("\n\n")[0].splitlines()[2:]
    return [[float(figure) for figure in cells(row)[2:]] for row in table if "](" not in row]


def measured_quality(printed: str) -> list[list[float]]:
    """The same out of what `xunwen eval offline` prints, without the kinds of a task's queries."""
    found = []
    for table in printed.split("\n**")[1:]:
        if ":" not in table.partition("**")[0]:
            rows = [cells(line) for line in table.splitlines() if line.startswith("|")]
            column = rows[0].index("MRR@10")
            shown = ("BM25", "dense", "hybrid", "hybrid + rank")
            found.append([float(row[column].split()[0]) for row in rows if row[0] in shown])
    return found


def ctrl_c(process: "subprocess.Popen[str]") -> None:
    """As a terminal does it: to all that run in it."""
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)


@pytest.mark.soak
def test_an_empty_clone(tmp_path: Path) -> None:
    clone = tmp_path / "xunwen"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    url = f"http://127.0.0.1:{free_port()}"
    home = {name: value for name, value in os.environ.items() if not name.startswith("XUNWEN_")}
    env = home | {variable(port): "0" for port in PORTS}
    env |= {"XUNWEN_GATEWAY_PORT": url.rpartition(":")[2], "XUNWEN_URL": url}
    (clone / "your.csv").write_text(CSV, encoding="utf-8")

    def bash(code: str, seconds: float = 300) -> str:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code.replace(ADDRESS, url)],
            cwd=clone, env=env, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{code}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    make_up = ["make", "up", f"PYTHON={sys.executable}"]
    began = time.monotonic()
    with foreground(make_up, env, seconds=INSTALL_SECONDS, cwd=clone) as process:
        first = time.monotonic() - began
        with Client(url) as client:
            (job,) = client.jobs()
            assert job.state is JobState.SUCCEEDED
            assert job.counts.model_dump() == {
                "read": SAMPLE,
                "indexed": SAMPLE,
                "rejected": 0,
                "deduplicated": 0,
            }
            (collection,) = client.collections()
            assert (collection.name, collection.count) == ("literature", SAMPLE)
            papers = [json.loads(line) for line in PAPERS.read_text("utf-8").splitlines()]
            found = titles_found(client, papers)
            assert found >= 0.95 * len(papers)
        assert "语言" in bash(readme("curl").code)
        assert "10 hits" in bash('.venv/bin/xunwen search "国有企业引入非国有资本对创新绩效的影响"')
        assert "神经网络" in bash(readme(".venv/bin/xunwen index").code)
        script = clone / "script.py"
        code = readme("from xunwen import Client").code.replace("Client()", f'Client("{url}")')
        script.write_text(code, encoding="utf-8")
        assert "神经网络" in bash(".venv/bin/python script.py")
        ctrl_c(process)
    assert leftovers(EmbeddedSettings(home=clone / "var")) == []
    began = time.monotonic()
    with foreground(make_up, env, seconds=INSTALL_SECONDS, cwd=clone) as process:
        second = time.monotonic() - began
        jobs = bash(".venv/bin/xunwen jobs list --json").splitlines()
        assert len([job for job in jobs if '"literature"' in job]) == 1, "indexed again"
        ctrl_c(process)
    assert leftovers(EmbeddedSettings(home=clone / "var")) == []
    assert "simcse" in bash(readme("make dev").code, seconds=INSTALL_SECONDS)
    measured = bash(readme("# after `make dev`").code, seconds=INSTALL_SECONDS)
    for written, seen in zip(readme_quality(), measured_quality(measured), strict=True):
        # Processors round int8 products differently: AVX2 and AVX-512 differ by up to 0.4.
        assert seen == pytest.approx(written, abs=0.8), measured
    print(
        f"ready {first:.0f} s after `make up` in an empty clone, {second:.0f} s the second time;"
        f" {found} of {len(papers)} titles find their paper in the top 10"
    )

"""Each benchmark runs to its end and prints its figures; which they are is the machine's affair."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.stack import Stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place of its own for the results, which are the repository's otherwise."""
    shutil.copytree(
        ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns(".peers")
    )
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(folder: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode in codes, ran.stderr
    return ran.stdout


def test_cached_search(stack: Stack, folder: Path) -> None:
    printed = run(
        folder, "benchmarks/cached_search.py", "--url", stack.url, "--seconds", "1",
        codes=(0, 1),  # 1: below the goal, which a busy machine may be
    )  # fmt: skip
    assert "ratio" in printed


@pytest.mark.soak
def test_cold(stack: Stack, folder: Path) -> None:
    assert "| 4 clients, with ranking, 80 |" in run(
        folder, "-m", "benchmarks", "cold", "--url", stack.url
    )


@pytest.mark.soak
def test_two_systems(stack: Stack, folder: Path) -> None:
    arguments = (stack.url, stack.url, "--searches", "4")
    assert "| without |" in run(folder, "-m", "benchmarks.two_systems", *arguments)


@pytest.mark.soak
def test_embed_and_rerank(folder: Path) -> None:
    printed = run(folder, "-m", "benchmarks", "embed", "rerank", "--peers", "")
    assert "padded to the longest" in printed
    assert "60 candidates with abstracts, all read" in printed


@pytest.mark.soak
def test_capacity(folder: Path) -> None:
    assert "| work | a second of one core |" in run(folder, "benchmarks/capacity.py")


@pytest.mark.soak
def test_indexing(folder: Path) -> None:
    small = ("--documents", "200", "--part-documents", "100", "--repeats", "1")
    assert "ratio" in run(folder, "-m", "benchmarks.indexing", *small)
    long = ("--documents", "10", "--part-documents", "10", "--repeats", "1", "--passages", "3")
    assert "10 papers, 40 texts" in run(folder, "-m", "benchmarks.indexing", *long)


@pytest.mark.soak
def test_tenants(folder: Path) -> None:
    printed = run(
        folder, "-m", "benchmarks.tenants", "embedded",
        "--documents", "400", "--tenants", "20", "--collections", "2",
    )  # fmt: skip
    assert "collection of a tenant" in printed


@pytest.mark.soak
def test_grown_system(folder: Path) -> None:
    printed = run(folder, "-m", "benchmarks.grown_system", "600", "--home", str(folder / "grown"))
    assert "| least recall@1000 | dense 1.000, lexical 1.000 |" in printed


@pytest.mark.soak
def test_search(stack: Stack, folder: Path) -> None:
    arguments = ("search", "--url", stack.url, "--stacks", "", "--trial", "300")
    printed = run(folder, "-m", "benchmarks", *arguments)
    assert "| 16 |" in printed
    assert "| PaddleNLP's way on Milvus |" in printed

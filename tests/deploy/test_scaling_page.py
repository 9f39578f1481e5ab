"""The sizes of docs/scaling.md are what the script computes; one version is everywhere."""

import importlib.util
import re
import tomllib
from types import ModuleType

import pytest
import yaml

from services.rank.settings import RankSettings
from tests.deploy.manifests import CHART, ROOT


@pytest.fixture(scope="module")
def capacity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capacity", ROOT / "benchmarks/capacity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sizes_of_the_indexes(capacity: ModuleType) -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    table = page[page.index("| index | bytes a vector |") :].split("\n\n")[0]
    written = [
        float(size) for row in table.splitlines() for size in re.findall(r"\b\d\.\d\d\b", row)
    ]
    memory_and_disk = {f"{size / 1000:.2f}" for size in capacity.index_bytes(384).values()}
    # The column of a million; that of a billion repeats some of the figures.
    assert {float(size) for size in memory_and_disk} <= set(written)


def test_bytes_of_documents(capacity: ModuleType) -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    for name in ("literature_titles.jsonl", "literature_papers.jsonl"):
        means = capacity.bytes_of_a_document(name)
        assert f"{means['text, bytes']:.0f} B" in page
        assert f"{means['words, bytes']:.0f} B" in page
        assert f"{means['distinct words']:.0f} words" in page


def test_searches_of_a_core_at_the_default_depth() -> None:
    """The table is for as many candidates as the fine phase reads by default."""
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    keep = RankSettings.model_fields["keep"].default
    assert f"by default {keep} at most" in page
    assert f"fine ({keep})" in (ROOT / "docs/search.md").read_text(encoding="utf-8")

    def rate(work: str) -> float:
        [row] = [line for line in page.splitlines() if line.startswith(f"| {work}")]
        return float(row.strip("| ").split("|")[-1])

    pairs = [rate("pairs with a title fine"), rate("pairs with title and abstract")]
    for depth in (keep, 4):
        searches = [1 / (1 / rate("queries encoded") + depth / each) for each in pairs]
        assert f"| {depth} | {searches[0]:.0f} | {searches[1]:.1f} |" in page


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == project
    compose = (ROOT / "deploy/compose.yaml").read_text()
    assert set(re.findall(r"XUNWEN_VERSION:-([\d.]+)", compose)) == {project}

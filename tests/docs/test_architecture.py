"""The architecture page names files that exist, and explains enough words."""

import re

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
_PATH = re.compile(r"`((?:services|training|xunwen|benchmarks|deploy|tests|docs)/[\w./-]+)`")
_ROAD = {"query": "services/gateway", "job": "services/indexer"}
_SHORT = re.compile(r"`((?:search|access|jobs|index|intake|work)/[\w/]+\.py)`")


def test_the_files_that_it_names_exist() -> None:
    named = set(_PATH.findall(PAGE))
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_stations_of_both_roads_exist() -> None:
    for road, package in _ROAD.items():
        section = PAGE.split(f"## The road of a {road}\n")[1].split("\n## ")[0]
        stations = set(_SHORT.findall(section))
        assert len(stations) > 5
        assert [name for name in stations if not (ROOT / package / name).exists()] == []


def test_its_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([^|]+) \|", PAGE.split("## Words")[1], re.MULTILINE)[1:]
    assert len(words) >= 40
    assert words == sorted(words)

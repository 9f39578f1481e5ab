"""An extra brings what its programs import, as read from the sources and pyproject.toml.

`tests/deploy/test_extras.py` installs each extra alone and runs it, which takes minutes; this finds
a forgotten dependency in a second.
"""

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement

from tests.house.imports import ROOT, imports, inside, modules
from xunwen.cli import offline

_OFFLINE = [module for module, _ in offline._COMMANDS.values() if inside(module, "training")]
PROGRAMS = {
    "gateway": ["services.gateway.__main__"],
    "recall": ["services.recall.__main__"],
    "rank": ["services.rank.__main__"],
    "indexer": ["services.indexer.__main__", "services.indexer.worker"],
    "cli": ["xunwen.cli.main"],
    "training": ["xunwen.cli.main", *_OFFLINE],
    "embedded": ["xunwen.cli.main", "xunwen.cli.keys", "xunwen.cli.tuning", "xunwen.cli.mcp"],
}
"""What is run where an extra alone is installed."""
_FOREIGN = ("xunwen.embedded",)
"""Modules that commands load, with words where their own extra is not there."""


def _requirements(name: str, extras: frozenset[str]) -> list[Requirement]:
    if name == "xunwen":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        listed = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
        found = [Requirement(text) for texts in listed for text in texts]
    else:
        found = [Requirement(text) for text in distribution(name).requires or []]
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [
        each
        for each in found
        if each.marker is None or any(map(each.marker.evaluate, environments))
    ]


@cache
def _brought(name: str, extras: frozenset[str]) -> frozenset[str]:
    """The distributions that come with `name[extras]`, itself included."""
    found = {_canonical(name)}
    for needed in _requirements(name, extras):
        found |= _brought(_canonical(needed.name), frozenset(needed.extras))
    return frozenset(found)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(start: list[str], foreign: tuple[str, ...]) -> dict[str, str]:
    """The packages of others that are imported, directly or not, each by one of our modules."""
    seen: dict[str, str] = {}
    waiting = [(module, "") for module in start]
    while waiting:
        module, by = waiting.pop()
        if module in seen or any(inside(module, one) for one in foreign):
            continue
        seen[module] = by
        if module in modules():
            waiting += [(name, module) for name in imports(module)]
    return {
        name.partition(".")[0]: by
        for name, by in seen.items()
        if name not in modules() and name.partition(".")[0] not in sys.stdlib_module_names
    }


_WITHOUT_PADDLENLP = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="paddlenlp cannot be installed under Python 3.13"
)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(extra, marks=_WITHOUT_PADDLENLP if extra == "training" else ())
        for extra in PROGRAMS
    ],
)
def test_an_extra_brings_what_its_programs_import(extra: str) -> None:
    brought = _brought("xunwen", frozenset({extra}))
    makers = packages_distributions()
    foreign = () if extra == "embedded" else _FOREIGN
    missing = {
        package: by
        for package, by in _imported(PROGRAMS[extra], foreign).items()
        if not {_canonical(maker) for maker in makers.get(package, [])} & brought
    }
    assert missing == {}

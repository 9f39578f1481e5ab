"""Who imports whom, read from the sources: no module is run."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("services", "training", "xunwen", "benchmarks")


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name; a package by the name of its folder."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if any(part.startswith(".") for part in parts):
                continue  # environments of the peers
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The modules that `module` names in its import statements, those inside functions included.

    `from package import module` counts as an import of the module, not only of the package.
    """
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return frozenset(_named(tree))


def _named(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else node.module


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def circles(package: str) -> list[list[str]]:
    """The circles of imports between the folders directly inside `package`.

    A loose module counts as a room of its own; the package's `__init__` as none.
    """
    arrows: dict[str, set[str]] = {}
    for module in modules():
        if inside(module, package) and (room := _room(module, package)):
            others = {_room(name, package) for name in imports(module) if inside(name, package)}
            arrows.setdefault(room, set()).update(others - {room, ""})
    return _strongly_connected(arrows)


def _room(module: str, package: str) -> str:
    return module.removeprefix(package).lstrip(".").partition(".")[0]


def _strongly_connected(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of more than one room in which each reaches every other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for to in arrows.get(waiting.pop(), ()):
                if to not in seen:
                    seen.add(to)
                    waiting.append(to)
        return seen

    reaches = {room: reached(room) for room in arrows}
    groups = {
        frozenset(other for other in reaches[room] if room in reaches.get(other, ()))
        for room in arrows
        if room in reaches[room]
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)
